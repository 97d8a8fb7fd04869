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

// One of SONiC's databases: its server and number are the connection's.
struct DatabaseOptions {
  redis::ConnectionOptions connection;  // its server and number
  std::string separator;                // between a table's name and a row's
};

// Where SONiC's databases are, and how ports are loaded.
struct PortLoaderOptions {
  DatabaseOptions config_db;  // what ports there should be
  DatabaseOptions appl_db;    // where they are loaded
  DatabaseOptions state_db;   // what the system says of itself
  PortFilter filter;          // which links could be ports
  // Sets a link down: what a stopped swss has left behind at a cold start. Empty = never, such links are adopted. An
  // error of std::errc::operation_not_permitted ends it for all of them. Called on a thread of its own, one call at a
  // time, since the kernel may hold its lock for seconds: it must own, or share, what it touches, and a call may still
  // be under way when the loader has gone.
  std::function<std::error_code(std::int32_t ifindex)> set_link_down;
  // Client names of portsyncd in sonic mode begin with this; the options' own are longer. Another client of APPL_DB
  // with such a name, that none of ours has, is another loader of the same ports. "" = nobody looks.
  std::string loader_name_prefix;
  // Asked before PortInitDone, which means that STATE_DB has the ports' rows: those of all links told are stored. Empty
  // = nobody waits for rows.
  std::function<bool()> rows_are_stored;
  std::chrono::milliseconds poll_interval{1'000};      // of what should be told and may not be
  std::chrono::milliseconds missing_after{30'000};     // after PortConfigDone, the first report of missing ports
  std::chrono::milliseconds missing_interval{60'000};  // and from then on
  std::chrono::milliseconds look_interval{60'000};  // PortConfigDone is looked for, which swss takes away at its start
};

// How the ports came to be in APPL_DB.
enum class StartMode : std::uint8_t {
  cold,     // they are loaded from CONFIG_DB
  dpu,      // cold, on a DPU: its links exist before orchagent
  warm,     // they are there
  adopted,  // they are there: portsyncd alone was restarted
};

// "cold", "dpu", "warm", "adopted".
[[nodiscard]] PORTSYNC_API const char* to_string(StartMode mode) noexcept;

// Something the loader tells, for logs and health. What it points to is borrowed for the call. Ignore kinds that you do
// not know.
struct LoaderEvent {
  // What has happened, and which members say more of it.
  enum class Kind : std::uint8_t {
    waiting,         // text = for what, whenever that changes; while it runs, APPL_DB
    started,         // mode, count = ports in CONFIG_DB
    link_set_down,   // port, ifindex: it is ignored until it is removed
    links_kept,      // count, error = why; port, when it is one: there at a cold start, not set down, taken for ports'
    running,         // mode, count; links pass from now on; PortConfigDone was written (cold, dpu) or is there. text =
                     // what cannot be told, "" = nothing
    resumed,         // APPL_DB is there again, and has lost nothing
    port_init_done,  // written and acknowledged
    ports_missing,   // ports: in CONFIG_DB, and not yet both a link and in APPL_DB; count = of how many
    refused,         // text, error; tried again, and told once
    data_lost,       // final: APPL_DB's server was restarted and PortConfigDone is gone
    another_loader,  // final: text = its client name
    config_done_gone,   // PortConfigDone is gone though APPL_DB's server was not restarted: swss was; nothing is said
                        // to it before it is there again (resumed), or another loader begins the start anew
    leftovers_ignored,  // count: links that were set down, just before running; no row is theirs
    consumers_deaf,   // APPL_DB's server was restarted with its data, and no consumer has subscribed since; told again
                      // every missing_interval
    consumers_heard,  // one has
  };
  Kind kind = Kind::waiting;                        // decides which of the others are set
  StartMode mode = StartMode::cold;                 // how it starts
  std::size_t count = 0;                            // see Kind
  std::int32_t ifindex = 0;                         // the link's
  std::string_view port;                            // its name
  std::string_view text;                            // for people
  std::error_code error;                            // why
  const std::vector<std::string>* ports = nullptr;  // their names
};

// What sonic-swss's portsyncd does beside STATE_DB's rows, and the links that count as ports because of it: loads the
// ports of CONFIG_DB into APPL_DB (cold), says PortConfigDone, lets a link pass only once orchagent has its port in
// APPL_DB, and says PortInitDone when every port of CONFIG_DB has a link that passed. Reconnects for ever; before
// PortConfigDone a lost connection begins the start anew.
//
// links() is the LinkSource to give to a Synchronizer, which drives it. The loader itself is driven by its own fd().
class PORTSYNC_API PortLoader : public Pollable {
 public:
  // Called from process() only.
  using Listener = std::function<void(const LoaderEvent& event)>;

  // Tells nothing before the loader knows how it starts, and no link that waits for its port.
  [[nodiscard]] virtual LinkSource& links() noexcept = 0;

  // Begins to connect. The listener is called from process() only. Errc::already_started the second time.
  [[nodiscard]] virtual std::error_code start(Listener listener) = 0;

  // Writes nothing from now on, and changes no link; links() goes on.
  virtual void stop() = 0;

  // rows_are_stored() may say something else now. Costs nothing when nobody waits for it.
  virtual void rows_may_be_stored() = 0;

  // What it waits for, for people; "" = nothing: PortInitDone has been said.
  [[nodiscard]] virtual std::string waiting_for() const = 0;
};

// `links` is borrowed and outlives the loader. Throws std::system_error (no descriptor) and std::invalid_argument.
[[nodiscard]] PORTSYNC_API std::unique_ptr<PortLoader> make_port_loader(LinkSource& links, PortLoaderOptions options);

}  // namespace portsync::sonic
