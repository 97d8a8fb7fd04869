// SPDX-License-Identifier: Apache-2.0
#include "faces/metrics/metric_table.hpp"

#include <array>
#include <chrono>

namespace portsyncd {
namespace {

using Reading = MetricReading;

constexpr std::array counters{
    CounterMetric{"portsyncd_link_events_total", "Link events of ports.",
                  [](const Reading& r) { return r.statistics.sync.events; }},
    CounterMetric{"portsyncd_rows_written_total", "Rows stored.",
                  [](const Reading& r) { return r.statistics.sync.writes; }},
    CounterMetric{"portsyncd_rows_removed_total", "Rows removed.",
                  [](const Reading& r) { return r.statistics.sync.erases; }},
    CounterMetric{"portsyncd_rows_unchanged_total", "Rows that were due and turned out to be stored already.",
                  [](const Reading& r) { return r.statistics.sync.unchanged; }},
    CounterMetric{"portsyncd_write_failures_total", "Rows that were refused; they are tried again.",
                  [](const Reading& r) { return r.statistics.sync.failures; }},
    CounterMetric{"portsyncd_slow_rows_total", "Rows stored later than performance.max_latency_us allows.",
                  [](const Reading& r) { return r.statistics.slow_rows; }},
    CounterMetric{"portsyncd_queue_collapses_total", "Times that more ports waited than performance.max_event_queue.",
                  [](const Reading& r) { return r.statistics.sync.queue_collapses; }},
    CounterMetric{"portsyncd_audits_total", "Read-backs of rows that were compared with the links.",
                  [](const Reading& r) { return r.statistics.sync.audits; }},
    CounterMetric{"portsyncd_drift_repaired_total", "Rows that an audit found to differ, and that were set right.",
                  [](const Reading& r) { return r.statistics.sync.drift_repaired; }},
    CounterMetric{"portsyncd_redis_reconnects_total", "Times that Redis could be written again after a loss.",
                  [](const Reading& r) {
                    const std::uint64_t opens = r.statistics.sink.opens;
                    return opens > 0 ? opens - 1 : 0;
                  }},
    CounterMetric{"portsyncd_netlink_overruns_total", "Losses of link messages because the receive buffer was full.",
                  [](const Reading& r) { return r.statistics.source.overruns; }},
    CounterMetric{"portsyncd_netlink_truncated_total", "Losses of link messages that were too long to be read.",
                  [](const Reading& r) { return r.statistics.source.truncated; }},
    CounterMetric{"portsyncd_netlink_probe_failures_total",
                  "Times that the netlink socket received nothing, and was opened anew.",
                  [](const Reading& r) { return r.statistics.source.probe_failures; }},
    CounterMetric{"portsyncd_snapshots_total", "Listings of all links that were completed.",
                  [](const Reading& r) { return r.statistics.source.snapshots; }},
    CounterMetric{"portsyncd_snapshots_interrupted_total", "Listings of all links that had to be started over.",
                  [](const Reading& r) { return r.statistics.source.interrupted; }},
    CounterMetric{"portsyncd_resyncs_total", "Listings of all links begun after the first one, for whatever reason.",
                  [](const Reading& r) { return r.statistics.source.resyncs; }},
    CounterMetric{"portsyncd_health_worsened_total", "Times that the verdict became worse.",
                  [](const Reading& r) { return r.times_worse; }},
};

constexpr std::array gauges{
    GaugeMetric{"portsyncd_health", "The worst verdict of the last second: 0 is Healthy, 1 Degraded, 2 Unhealthy.",
                [](const Reading& r) { return static_cast<double>(r.verdict); }},
    GaugeMetric{"portsyncd_redis_connected", "1 if rows could be written for the whole last second.",
                [](const Reading& r) { return r.statistics.sink.open && !r.store_was_closed ? 1.0 : 0.0; }},
    GaugeMetric{"portsyncd_netlink_connected",
                "0 if the netlink socket was found to receive nothing in the last second.",
                [](const Reading& r) { return r.statistics.source.deaf_since || r.was_deaf ? 0.0 : 1.0; }},
    GaugeMetric{"portsyncd_ports", "Links that are ports.",
                [](const Reading& r) { return static_cast<double>(r.statistics.sync.ports); }},
    GaugeMetric{"portsyncd_rows_pending", "Rows that wait for Redis or for its answer.",
                [](const Reading& r) { return static_cast<double>(r.statistics.sync.pending); }},
    GaugeMetric{"portsyncd_redis_round_trip_seconds", "From the latest batch or probe to the last of its answers.",
                [](const Reading& r) { return std::chrono::duration<double>(r.statistics.sink.round_trip).count(); }},
    GaugeMetric{"portsyncd_netlink_receive_buffer_bytes", "Size of the netlink socket's receive buffer.",
                [](const Reading& r) { return static_cast<double>(r.statistics.source.receive_buffer_bytes); }},
    GaugeMetric{"portsyncd_netlink_backlog_bytes", "What waits in the netlink socket's receive buffer.",
                [](const Reading& r) { return static_cast<double>(r.statistics.source.backlog_bytes); }},
};

constexpr std::array buckets{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3,   2.5e-3, 5e-3,
                             10e-3, 25e-3, 50e-3,  100e-3, 250e-3, 500e-3, 1.0};

}  // namespace

std::span<const CounterMetric> counter_metrics() noexcept {
  return counters;
}

std::span<const GaugeMetric> gauge_metrics() noexcept {
  return gauges;
}

std::span<const double> latency_buckets() noexcept {
  return buckets;
}

}  // namespace portsyncd
