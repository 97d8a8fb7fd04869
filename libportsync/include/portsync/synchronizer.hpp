// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <portsync/export.hpp>
#include <portsync/health_monitor.hpp>
#include <portsync/link_source.hpp>
#include <portsync/pollable.hpp>
#include <portsync/port_filter.hpp>
#include <portsync/port_record.hpp>
#include <portsync/port_status.hpp>
#include <portsync/state_sink.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace portsync {

// The policy: which links are ports, and when their rows are written and compared.
struct SynchronizerOptions {
  PortFilter filter;  // which links are ports
  // Limit of the per-port queue of one sink. Above it the queue is replaced by "compare all ports", so nothing is lost.
  std::size_t max_event_queue = 1000;
  // Maximum time to hold a batch back while the source never drains.
  std::chrono::microseconds max_hold{5000};
  // Pause before a refused row or a failed read-back is tried again.
  std::chrono::milliseconds retry_interval{2000};
  // How often to take a new kernel snapshot, read back the known rows, compare and repair them; 0 = never.
  std::chrono::milliseconds audit_interval{60'000};
  // When a link with another ifindex takes a stored name, write an erase() and then a put(), even if the records are
  // equal.
  bool replace_on_new_ifindex = false;
  // Every n-th audit reads back all rows instead of the known ones; 0 = never. Such an audit also removes rows that
  // were restored under a living connection (a restored dump, swapped databases).
  std::uint32_t full_audit_every = 10;
  // When a port was down (IFF_UP or IFF_RUNNING) and came back, or has another master, write the whole row with one
  // put() per batch, even if the records are equal.
  bool write_bounces = false;
  // False: it is not known yet which links are ports. Until it is, the Synchronizer reads, writes and removes nothing.
  bool ports_known = true;
};

// Something that the Synchronizer reports, for logs and counters. Everything it points to is borrowed for the call.
// Ignore unknown kinds, because new kinds and members are added at the end.
struct SyncEvent {
  // The kind of event, with the members that it sets.
  enum class Kind : std::uint8_t {
    row_written,         // port, record, link, cause, count = link events that this write covers (0: a repair), latency
    row_erased,          // port, count, latency
    row_refused,         // port, error; reported once, until the row is stored or refused for another reason
    sink_opened,         // sink
    sink_closed,         // sink, error; reported once, until the sink opens or the reason changes
    snapshot_completed,  // count = matching ports, cause = initial or resync
    rows_left_alone,     // sink, count = rows not removed because no link matches the filter
    audit_completed,     // sink, count = rows that had drifted
    queue_collapsed,     // sink
    synchronized,        // every row of every sink equals the kernel, for the first time
    fields_lost,         // sink, port, fields = fields of other writers in a row that was removed late
    store_trouble,       // sink, text = a fault of the store that fails no row; "" = the fault is over
    row_checked,  // sink, port, record = what check() read (nullptr: no row), error and text = why it could not read
  };
  Kind kind = Kind::row_written;         // decides which other members are set
  std::string_view sink;                 // its name, as given to add_sink()
  std::string_view port;                 // the row's name
  const LinkState* link = nullptr;       // the port's link now; nullptr: it has none
  Cause cause = Cause::notified;         // of the link events that the write covers, or of the snapshot
  std::uint64_t count = 0;               // see Kind
  std::chrono::microseconds latency{0};  // from reading the oldest message that it covers to the acknowledgement
  std::error_code error;                 // the reason
  const PortRecord* record = nullptr;    // row_written: the stored row; `link` may already be newer
  const PortRecord* before = nullptr;    // row_written, row_erased: the former row; nullptr: none, or unknown
  const std::vector<std::string>* fields = nullptr;  // fields_lost: their names
  std::string_view text;  // details of `error`: the store's words, and the key; "" = nothing beyond `error`
};

// Counters of a Synchronizer since it was made, and its present state.
struct SynchronizerStatistics {
  std::uint64_t events = 0;           // link events of matching ports
  std::uint64_t writes = 0;           // rows stored, all sinks
  std::uint64_t erases = 0;           // rows removed, all sinks
  std::uint64_t failures = 0;         // rows refused, all sinks
  std::uint64_t unchanged = 0;        // rows that waited, but equalled what is stored
  std::uint64_t batches = 0;          // sent to sinks
  std::uint64_t queue_collapses = 0;  // times the queue reached max_event_queue and became "compare all ports"
  std::uint64_t snapshots = 0;        // snapshots completed
  std::uint64_t audits = 0;           // read-backs compared, except those after on_open()
  std::uint64_t drift_repaired = 0;   // rows that an audit found to differ
  std::size_t ports = 0;              // matching links now
  std::size_t pending = 0;            // rows that wait for a sink or for its reply now, all sinks
  std::size_t rows_left_alone = 0;    // see SyncEvent::Kind::rows_left_alone
  // Latency of the stored rows, from reading the message to the acknowledgement, in microseconds; 0 = no samples.
  std::uint64_t latency_p50_us = 0;  // half of them took no longer
  std::uint64_t latency_p95_us = 0;  // 95 of 100
  std::uint64_t latency_p99_us = 0;  // 99 of 100
  std::uint64_t latency_max_us = 0;  // the longest
  // When the rows of the most recently compared sink were last read back and compared; std::nullopt: not since it
  // opened.
  std::optional<TimePoint> last_compared;
};

// Keeps the rows of any number of sinks equal to the links of a source. It holds the desired rows and the acknowledged
// rows of each sink separately, so a slow or dead sink delays only itself.
//
// The invariant: once the links stop changing and a sink works, the sink's rows equal the links, whatever happened
// before. A row is written only when its projection differs from what the sink acknowledged. Names that the filter does
// not match and fields outside the projection are never touched.
//
// The Synchronizer borrows and drives the source, the sinks and the monitor, which must outlive it. Wait for its fd()
// alone.
class PORTSYNC_API Synchronizer final : public Pollable {
 public:
  // Only process() calls it.
  using Listener = std::function<void(const SyncEvent& event)>;

  // Borrows the source. Throws std::system_error (no descriptor).
  Synchronizer(LinkSource& source, SynchronizerOptions options);
  ~Synchronizer() override;

  // Adds a sink. Call it before start() only. `name` appears in reports.
  void add_sink(StateSink& sink, Projection projection, std::string name);
  // Sets the ifindex that each port had in an earlier run, by name. Call it before start() only. With
  // replace_on_new_ifindex, a row found by the first read-back belongs to that link. If the link was created anew
  // since, the Synchronizer calls erase() and then put().
  void set_known_ifindexes(std::map<std::string, std::int32_t, std::less<>> ifindexes);
  // Sets the monitor that receives the health reports. Call it before start() only.
  void set_health_monitor(HealthMonitor& monitor);
  // Sets the listener that receives the events. If a handler calls this, it takes effect with the next process().
  void set_listener(Listener listener);

  // Starts the source and the sinks. Returns the first error of any of them; it is final.
  [[nodiscard]] std::error_code start();

  [[nodiscard]] int fd() const noexcept override;
  [[nodiscard]] std::error_code process() override;

  // Takes a new snapshot. With `force`, the caller accepts that no link matches, so rows that were left alone are
  // removed.
  [[nodiscard]] std::error_code resync(bool force = false);

  // Starts an audit now, as audit_interval does regularly. Scope::all also finds rows that the Synchronizer does not
  // know.
  [[nodiscard]] std::error_code audit(Scope scope = Scope::listed);

  // Reads the row of one port from every sink now, and repairs it if it differs. Each sink yields one row_checked
  // event, possibly before this function returns. Errc::not_started.
  [[nodiscard]] std::error_code check(std::string_view port);

  // Replaces the options from now on. With another filter, ports that no longer match are removed from the sinks, and
  // ports that now match are written. If no link matches the new filter, nothing is removed: the rows are left alone.
  void set_options(SynchronizerOptions options);

  // Stops following links. Waiting rows still go to the sinks; drained() returns true when none is left.
  void stop();

  // Returns true when no open sink has a waiting row, a refused row or an outstanding reply.
  [[nodiscard]] bool drained() const noexcept;

  // Returns true when drained() does and every sink is open: every row that should exist, as far as is known, is
  // stored.
  [[nodiscard]] bool all_stored() const noexcept;

  // Returns true once the first snapshot since start() has been stored in every sink.
  [[nodiscard]] bool synchronized() const noexcept;

  // Returns the counters, at any time. Walks through the latencies and makes no system call.
  [[nodiscard]] SynchronizerStatistics statistics() const;

  // Returns the links that match now, unsorted. Their pointers and views are borrowed until the next process() or
  // set_options().
  [[nodiscard]] std::vector<PortStatus> ports() const;
  // Returns the port of this name, or std::nullopt when no matching link has it.
  [[nodiscard]] std::optional<PortStatus> port(std::string_view name) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsync
