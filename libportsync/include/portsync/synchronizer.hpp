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
  // Bound on the ports that wait one by one for a sink. Over it the queue becomes "compare all ports": nothing is lost.
  std::size_t max_event_queue = 1000;
  // How long a batch may be held back while the source never drains.
  std::chrono::microseconds max_hold{5000};
  // Pause before a refused row, or a read-back that failed, is tried again.
  std::chrono::milliseconds retry_interval{2000};
  // A new kernel snapshot and the known rows read back, compared and repaired; 0 = never.
  std::chrono::milliseconds audit_interval{60'000};
  // A link of another ifindex under a name already stored is an erase() and then a put(), even when the records are
  // equal.
  bool replace_on_new_ifindex = false;
  // Every which audit reads back all rows instead of the known ones; 0 = none. Rows that were brought back under a
  // living connection (a restored dump, databases swapped) go with it.
  std::uint32_t full_audit_every = 10;
  // A port that was down (IFF_UP or IFF_RUNNING) and came back, or that has another master, is one put() of the whole
  // row for each batch, even when the records are equal.
  bool write_bounces = false;
  // False: which links are ports is not known yet. Until it is, nothing is read, written or removed.
  bool ports_known = true;
};

// Something the Synchronizer tells, for logs and counters. Everything it points to is borrowed for the call. Ignore
// kinds that you do not know; new kinds and members are added at the end.
struct SyncEvent {
  // What has happened, and which members say more of it.
  enum class Kind : std::uint8_t {
    row_written,         // port, record, link, cause, count = link events it answers (0: a repair), latency
    row_erased,          // port, count, latency
    row_refused,         // port, error; once until the row is stored or refused for another reason
    sink_opened,         // sink
    sink_closed,         // sink, error; once until it opens or the reason changes
    snapshot_completed,  // count = matching ports, cause = initial or resync
    rows_left_alone,     // sink, count = rows not removed because no link matches the filter
    audit_completed,     // sink, count = rows that had drifted
    queue_collapsed,     // sink
    synchronized,        // every row of every sink equals the kernel, for the first time
    fields_lost,         // sink, port, fields = other writers' that went with a row whose removal was found late
    store_trouble,       // sink, text = what is amiss in the store though no row fails for it; "" = it is over
    row_checked,         // sink, port, record = what check() found (nullptr: no row), error and text = why it was not read
  };
  Kind kind = Kind::row_written;         // decides which of the others are set
  std::string_view sink;                 // its name, as given to add_sink()
  std::string_view port;                 // the row's name
  const LinkState* link = nullptr;       // the port's link now; nullptr: it has none
  Cause cause = Cause::notified;         // of the events that were answered, or of the snapshot
  std::uint64_t count = 0;               // see Kind
  std::chrono::microseconds latency{0};  // from reading the oldest message it answers to its acknowledgement
  std::error_code error;                 // why
  const PortRecord* record = nullptr;    // row_written: the row as it is stored; `link` may be newer by now
  const PortRecord* before = nullptr;    // row_written, row_erased: what the row was; nullptr: not there, or not known
  const std::vector<std::string>* fields = nullptr;  // fields_lost: their names
  std::string_view text;  // beside error: what the store said, of which key; "" = no more than error says
};

// What a Synchronizer has counted since it was made, and how it is now.
struct SynchronizerStatistics {
  std::uint64_t events = 0;           // link events of matching ports
  std::uint64_t writes = 0;           // rows stored, all sinks
  std::uint64_t erases = 0;           // rows removed, all sinks
  std::uint64_t failures = 0;         // rows refused, all sinks
  std::uint64_t unchanged = 0;        // rows that waited and turned out to be equal to what is stored
  std::uint64_t batches = 0;          // sent to sinks
  std::uint64_t queue_collapses = 0;  // the queue reached max_event_queue and became "compare all ports"
  std::uint64_t snapshots = 0;        // snapshots completed
  std::uint64_t audits = 0;           // read-backs compared, but for those after on_open()
  std::uint64_t drift_repaired = 0;   // rows that an audit found to differ
  std::size_t ports = 0;              // matching links now
  std::size_t pending = 0;            // rows that wait for a sink or for its answer now, all sinks
  std::size_t rows_left_alone = 0;    // see SyncEvent::Kind::rows_left_alone
  // Latency of the rows stored, message read to acknowledgement, in microseconds; 0 when there was none.
  std::uint64_t latency_p50_us = 0;  // half of them took no longer
  std::uint64_t latency_p95_us = 0;  // 95 of 100
  std::uint64_t latency_p99_us = 0;  // 99 of 100
  std::uint64_t latency_max_us = 0;  // the longest
  // When the rows were last read back and compared, of the sink that was compared last; std::nullopt: not since it
  // opened.
  std::optional<TimePoint> last_compared;
};

// Keeps the rows of any number of sinks equal to the links of a source. What is desired and what each sink has
// acknowledged are kept apart per sink: a slow or dead sink delays only itself.
//
// The invariant: once the links stop changing and a sink works, its rows equal them, whatever happened before. A row is
// written only when its projection differs from what the sink has acknowledged; names that the filter does not match,
// and fields that are not in the projection, are never touched.
//
// Source, sinks and monitor are borrowed, outlive the Synchronizer and are driven by it: wait for its fd() alone.
class PORTSYNC_API Synchronizer final : public Pollable {
 public:
  // Called from process() only.
  using Listener = std::function<void(const SyncEvent& event)>;

  // Throws std::system_error (no descriptor).
  Synchronizer(LinkSource& source, SynchronizerOptions options);
  ~Synchronizer() override;

  // Before start() only. `name` is for reports.
  void add_sink(StateSink& sink, Projection projection, std::string name);
  // Before start() only: the ifindex that each port had in an earlier run, by name. With replace_on_new_ifindex, a row
  // that the first read-back finds is that link's: a link made anew since is an erase() and then a put().
  void set_known_ifindexes(std::map<std::string, std::int32_t, std::less<>> ifindexes);
  // Before start() only: who is told how it does.
  void set_health_monitor(HealthMonitor& monitor);
  // Who is told what happens; set in a handler, from the next process() on.
  void set_listener(Listener listener);

  // Starts the source and the sinks. An error is the first of theirs, and final.
  [[nodiscard]] std::error_code start();

  [[nodiscard]] int fd() const noexcept override;
  [[nodiscard]] std::error_code process() override;

  // Takes a new snapshot. With `force`, it is meant that no link matches: rows that were left alone are removed.
  [[nodiscard]] std::error_code resync(bool force = false);

  // Compares now what audit_interval compares regularly; Scope::all looks for rows that nobody knows of, too.
  [[nodiscard]] std::error_code audit(Scope scope = Scope::listed);

  // Reads the row of one port now from every sink and repairs it if it differs. Each sink answers by one row_checked
  // event, possibly before this returns. Errc::not_started.
  [[nodiscard]] std::error_code check(std::string_view port);

  // Other options from now on. With another filter, ports that no longer match are removed from the sinks, and ports
  // that now match are written. A filter that no link matches removes nothing: its rows are left alone.
  void set_options(SynchronizerOptions options);

  // Stops following links. What waits goes on to the sinks; drained() tells when it is there.
  void stop();

  // Of every sink that is open: nothing waits for it, it refuses nothing, and no answer is outstanding.
  [[nodiscard]] bool drained() const noexcept;

  // drained(), and every sink is open: each row that is known to be wanted is stored.
  [[nodiscard]] bool all_stored() const noexcept;

  // The first snapshot has been stored in every sink since start().
  [[nodiscard]] bool synchronized() const noexcept;

  // At any time; a walk through the latencies, and no system call.
  [[nodiscard]] SynchronizerStatistics statistics() const;

  // The links that match now, in no order. What they point to is borrowed until the next process() or set_options().
  [[nodiscard]] std::vector<PortStatus> ports() const;
  // The one of this name; std::nullopt when no link that matches has it.
  [[nodiscard]] std::optional<PortStatus> port(std::string_view name) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portsync
