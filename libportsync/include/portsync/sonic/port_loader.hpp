// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <portsync/export.hpp>
#include <portsync/link_source.hpp>
#include <portsync/pollable.hpp>
#include <portsync/port_filter.hpp>
#include <portsync/redis/state_sink.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace portsync::sonic {

// One of SONiC's databases.
struct DatabaseOptions {
  redis::ConnectionOptions connection;  // its server and number
  std::string separator;                // between a table's name and a row's name
};

// Where SONiC's databases are, and how ports are loaded.
struct PortLoaderOptions {
  DatabaseOptions config_db;  // the ports that should exist
  DatabaseOptions appl_db;    // the ports are loaded into it
  DatabaseOptions state_db;   // the system's own state
  PortFilter filter;          // which links could be ports
  // Sets a link down that a stopped swss left behind, at a cold start. Empty = never; such links are adopted. If it
  // returns std::errc::operation_not_permitted, it is not called for the other links. It runs on a thread of its own,
  // one call at a time, because the kernel may hold its lock for seconds. It must own or share what it touches, because
  // a call may outlive the loader.
  std::function<std::error_code(std::int32_t ifindex)> set_link_down;
  // The common prefix of the client names of portsyncd in sonic mode. The client names in these options are longer.
  // Another client of APPL_DB with the prefix, but not with our name, is another loader of the same ports. "" = do not
  // look for another loader.
  std::string loader_name_prefix;
  // Called before PortInitDone, which promises that STATE_DB has the ports' rows. Returns true when the rows of all
  // reported links are stored. Empty = do not wait for rows.
  std::function<bool()> rows_are_stored;
  std::chrono::milliseconds poll_interval{1'000};   // how often to poll for changes that keyspace events may not report
  std::chrono::milliseconds missing_after{30'000};  // from PortConfigDone to the first report of missing ports
  std::chrono::milliseconds missing_interval{60'000};  // between later reports
  std::chrono::milliseconds look_interval{
      60'000};  // between checks that PortConfigDone exists; a starting swss removes it
  // Whether a link with the name of any port of CONFIG_DB could be that port, though filter.match does not match it.
  bool configured_names_match = false;
};

// How the ports came into APPL_DB.
enum class StartMode : std::uint8_t {
  cold,     // the loader loads them from CONFIG_DB
  dpu,      // cold, on a DPU: its links exist before orchagent
  warm,     // they were there already
  adopted,  // they were there already: only portsyncd was restarted
};

// Returns "cold", "dpu", "warm" or "adopted".
[[nodiscard]] PORTSYNC_API const char* to_string(StartMode mode) noexcept;

// Something that the loader reports, for logs and health. Everything it points to is borrowed for the call. Ignore
// unknown kinds.
struct LoaderEvent {
  // The kind of event, with the members that it sets.
  enum class Kind : std::uint8_t {
    waiting,        // text = what the loader waits for, reported whenever that changes; while it runs, that is APPL_DB
    started,        // mode, count = ports in CONFIG_DB
    link_set_down,  // port, ifindex: it is ignored until it is removed
    // count, error = why; port if it is only one: links found at a cold start that were not set down. They count as the
    // ports' links.
    links_kept,
    // mode, count: links pass from now on. PortConfigDone was written (cold, dpu) or was there already. text = what
    // cannot be determined; "" = nothing.
    running,
    resumed,         // APPL_DB is back, and has lost nothing
    port_init_done,  // written and acknowledged
    ports_missing,   // ports: in CONFIG_DB, but without a link or not in APPL_DB; count = number of ports in CONFIG_DB
    refused,         // text, error; tried again, and reported once
    data_lost,       // final: APPL_DB's server was restarted and PortConfigDone is gone
    another_loader,  // final: text = its client name
    // PortConfigDone is gone although APPL_DB's server was not restarted, so swss was restarted. The loader writes
    // nothing more until PortConfigDone is back (resumed), or another loader begins a new start.
    config_done_gone,
    leftovers_ignored,  // count = links that were set down, reported right before running; they get no row
    // APPL_DB's server was restarted with its data, and no consumer has subscribed since. Repeated every
    // missing_interval.
    consumers_deaf,
    consumers_heard,  // a consumer has subscribed
    // text, error: APPL_DB refuses the subscription to its table, which is tried again. Until then ports that appear
    // there are found by reading, with pauses of up to a minute.
    subscription_refused,
    // ports = those of CONFIG_DB that filter.match does not match: links of these names, and of no other such names,
    // could be ports from now on (PortFilter::also). No link has passed yet. Reported if configured_names_match, before
    // `started`, and again if CONFIG_DB has changed before a start that is begun again.
    names_added,
  };
  Kind kind = Kind::waiting;                        // decides which other members are set
  StartMode mode = StartMode::cold;                 // how the loader starts
  std::size_t count = 0;                            // see Kind
  std::int32_t ifindex = 0;                         // the link's
  std::string_view port;                            // its name
  std::string_view text;                            // for people
  std::error_code error;                            // the reason
  const std::vector<std::string>* ports = nullptr;  // their names
};

// Does the work of sonic-swss's portsyncd beside STATE_DB's rows, and decides which links count as ports. At a cold
// start it loads the ports of CONFIG_DB into APPL_DB and writes PortConfigDone. It lets a link pass only after
// orchagent has created its port in APPL_DB. It writes PortInitDone when every port of CONFIG_DB has a link that
// passed. It reconnects without limit. A connection lost before PortConfigDone restarts the whole start.
//
// links() is the LinkSource for a Synchronizer, which drives it. The loader itself is driven through its own fd().
class PORTSYNC_API PortLoader : public Pollable {
 public:
  // Only process() calls it.
  using Listener = std::function<void(const LoaderEvent& event)>;

  // Returns the gated source. It reports nothing before the loader knows how it starts, and no link that waits for its
  // port.
  [[nodiscard]] virtual LinkSource& links() noexcept = 0;

  // Begins to connect. Only process() calls the listener. Returns Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Listener listener) = 0;

  // Stops all writing and changes no more links. links() continues.
  virtual void stop() = 0;

  // Notifies the loader that rows_are_stored() may return another value now. Costs nothing when the loader does not
  // wait for it.
  virtual void rows_may_be_stored() = 0;

  // Returns what the loader waits for, for people; "" = nothing, because PortInitDone has been written.
  [[nodiscard]] virtual std::string waiting_for() const = 0;
};

// Makes a loader. `links` is borrowed and must outlive it. Throws std::system_error (no descriptor) and
// std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<PortLoader> make_port_loader(LinkSource& links, PortLoaderOptions options);

}  // namespace portsync::sonic
