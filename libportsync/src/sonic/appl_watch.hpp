// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <portsync/pollable.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sonic/seen_server.hpp"

namespace portsync::sonic {

// APPL_DB once the ports are loaded: which links wait for their port there, when PortInitDone may be written, and
// whether PortConfigDone is still there. Each function is one event; it returns what the caller has to do, in that
// order. Pure: the time and every answer are arguments.
class ApplWatch {
 public:
  using Names = std::set<std::string, std::less<>>;

  // What is known of APPL_DB's contents.
  enum class Server : std::uint8_t {
    away,    // no connection
    unsure,  // opened since; it may have lost its data, and nothing is written until PortConfigDone was looked for
    known,
  };
  // As it was found last. Gone from the same server process it was taken away, as swss does when it starts; that swss
  // gets no PortInitDone.
  enum class ConfigDone : std::uint8_t { there, gone };
  enum class InitDone : std::uint8_t {
    wanted,   // not written
    asking,   // whether PortConfigDone is still there
    writing,  // and not acknowledged
    unsure,   // its answer was lost, or it was refused
    done,
  };
  // Reading which of the names that wait are in APPL_DB.
  enum class Check : std::uint8_t {
    idle,
    asking,
    refused,       // by APPL_DB
    asking_again,  // after a refusal
  };
  // Who reads what is written into APPL_DB. SONiC's other daemons do not reconnect when their server is restarted; one
  // that is started anew subscribes to the table's channel again, which is how it is known that swss was restarted: it
  // holds for a warm restart too, which leaves APPL_DB as it is.
  enum class Consumers : std::uint8_t {
    listening,  // as far as is known
    doubted,    // the server was restarted with its data; given a moment
    deaf,       // and reported
  };
  enum class Task : std::uint8_t {
    check,             // the names of take_names(): on_checked() or on_check_failed()
    look,              // for PortConfigDone and PortInitDone: on_looked() or on_look_failed()
    look_before_init,  // for PortConfigDone: on_looked_before_init() or on_init_failed()
    write_init_done,   // on_init_written() or on_init_failed()
    subscribe,         // to the table's events
    unsubscribe,
    forget_reports,  // of refusals and waiting: they are over, and news when they come again
    report_resumed,  // APPL_DB is there again, and has lost nothing
    report_missing,  // missing()
    report_config_gone,
    report_init_done,
    count_consumers,  // that are subscribed to the table's channel: on_consumers()
    report_deaf,      // the server was restarted with its data, and no consumer is subscribed
    report_heard,     // one is again
    end_data_lost,    // the server was restarted and PortConfigDone is gone
  };
  using Tasks = std::vector<Task>;

  struct Timing {
    std::chrono::milliseconds poll_interval;
    std::chrono::milliseconds missing_after;
    std::chrono::milliseconds missing_interval;
    std::chrono::milliseconds look_interval;
  };
  // How the start went.
  struct Started {
    Names ports;  // of CONFIG_DB
    bool write_init_done = true;
    bool warm = false;  // a PortInitDone that is found may be of the time before
    SeenServer seen;
    bool server_was_restarted = false;  // with its data, since the start began
  };
  // Both forms, published or staged.
  struct Found {
    bool config_done = false;
    bool init_done = false;
  };

  explicit ApplWatch(const Timing& timing) : timing_(timing) {}

  // Links pass from now on, PortConfigDone is there, and APPL_DB is open.
  void begin(Started started, TimePoint now);

  void on_open() { server_ = Server::unsure; }
  void on_closed();

  // A link waits under this name; no link does any more; a link of this name has passed.
  void on_waiting(const std::string& name);
  void on_settled(const std::string& name);
  void on_port(const std::string& name) { missing_.erase(name); }

  // Events of the table come from now on, or one has come.
  void on_subscribed() { to_check_ = waiting_; }
  void on_row_event(std::string_view name, std::string_view event);

  [[nodiscard]] Tasks on_checked(const Names& there, TimePoint now);
  [[nodiscard]] Tasks on_check_failed(bool refused, TimePoint now);
  [[nodiscard]] Tasks on_looked(const Found& found, const std::string& run_id, TimePoint now);
  void on_look_failed(TimePoint now);
  // The rows of all links that passed are stored.
  [[nodiscard]] Tasks on_rows_stored(TimePoint now);
  [[nodiscard]] Tasks on_looked_before_init(bool config_done, TimePoint now);
  [[nodiscard]] Tasks on_init_written();
  void on_init_failed(bool refused, TimePoint now);
  // How many there are. 0 when it is not known: nobody is taken for listening who was not seen.
  [[nodiscard]] Tasks on_consumers(std::size_t count, TimePoint now);
  [[nodiscard]] Tasks on_time(TimePoint now);

  // When on_time() has something to do; std::nullopt: not before another event.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // Only the rows are missing for PortInitDone.
  [[nodiscard]] bool wants_rows() const;
  [[nodiscard]] Names take_names();  // to be checked
  [[nodiscard]] const Names& missing() const noexcept { return missing_; }
  [[nodiscard]] InitDone init_done() const noexcept { return init_done_; }
  [[nodiscard]] ConfigDone config_done() const noexcept { return config_done_; }
  [[nodiscard]] Server server() const noexcept { return server_; }
  [[nodiscard]] Check check() const noexcept { return check_; }
  [[nodiscard]] Consumers consumers() const noexcept { return consumers_; }

 private:
  [[nodiscard]] bool may_ask(TimePoint now) const;
  void poll(TimePoint now, Tasks& tasks);
  void report_missing(TimePoint now, Tasks& tasks);
  void resume(TimePoint now, Tasks& tasks);
  void subscribe(Tasks& tasks);
  void doubt_consumers(TimePoint now);

  const Timing timing_;
  Server server_ = Server::away;
  ConfigDone config_done_ = ConfigDone::there;
  InitDone init_done_ = InitDone::wanted;
  Check check_ = Check::idle;
  Consumers consumers_ = Consumers::listening;
  SeenServer seen_;
  Names missing_;   // in CONFIG_DB, and no link has passed yet
  Names waiting_;   // links that wait for APPL_DB
  Names to_check_;  // of these
  std::chrono::milliseconds poll_interval_{0};
  std::optional<TimePoint> poll_at_;   // of all that wait
  std::optional<TimePoint> retry_at_;  // of what was refused
  std::optional<TimePoint> count_at_;  // consumers
  TimePoint report_deaf_at_;
  TimePoint report_missing_at_;
  TimePoint look_at_;
  bool looking_ = false;
  bool subscribed_ = false;
  bool missing_reported_ = false;
  bool warm_ = false;
};

}  // namespace portsync::sonic
