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

// Watches APPL_DB after the ports are loaded: which links wait for their port there, when PortInitDone may be written,
// and whether PortConfigDone is still there. Each function is one event. It returns the caller's tasks in the order in
// which the caller must do them. Pure: the time and every reply are arguments.
class ApplWatch {
 public:
  using Names = std::set<std::string, std::less<>>;

  // How much is known about APPL_DB's contents.
  enum class Server : std::uint8_t {
    away,    // no connection
    unsure,  // opened again; it may have lost its data, so nothing is written before a look for PortConfigDone
    known,
  };
  // PortConfigDone, as of the last look. If it is gone from the same server process, then it was deleted, as swss
  // does when it starts. That swss gets no PortInitDone.
  enum class ConfigDone : std::uint8_t { there, gone };
  enum class InitDone : std::uint8_t {
    wanted,   // not written yet
    asking,   // a look for PortConfigDone is under way
    writing,  // sent and not acknowledged
    unsure,   // its reply was lost, or it was refused
    done,
  };
  // The state of a question that is asked time and again: which of the waiting names are in APPL_DB (the check), whether
  // PortConfigDone is (the look). The first reply after a refusal is reported, because the refusal was.
  enum class Asked : std::uint8_t {
    idle,
    asking,
    refused,       // APPL_DB refused it
    asking_again,  // after a refusal
  };
  // The daemons that read APPL_DB. SONiC's other daemons do not reconnect after a restart of their server. A restarted
  // daemon subscribes to the table's channel again, which shows that swss was restarted. That also detects a warm
  // restart, which leaves APPL_DB as it is.
  enum class Consumers : std::uint8_t {
    listening,  // no reason for doubt
    doubted,    // the server was restarted with its data; they are counted after a pause
    deaf,       // no consumer is subscribed; reported
  };
  enum class Task : std::uint8_t {
    check,             // read the names of take_names(): on_checked() or on_check_failed()
    look,              // read PortConfigDone and PortInitDone: on_looked() or on_look_failed()
    look_before_init,  // read PortConfigDone: on_looked_before_init() or on_init_failed()
    write_init_done,   // on_init_written() or on_init_failed()
    subscribe,         // to the table's events
    unsubscribe,
    forget_reports,  // of refusals and waiting: they have ended; report them again if they recur
    report_resumed,  // APPL_DB is open again, and has lost nothing
    report_missing,  // missing()
    report_config_gone,
    report_init_done,
    count_consumers,  // the subscribers of the table's channel: on_consumers()
    report_deaf,      // the server was restarted with its data, and no consumer is subscribed
    report_heard,     // a consumer is subscribed again
    end_data_lost,    // the server was restarted and PortConfigDone is gone
  };
  using Tasks = std::vector<Task>;

  struct Timing {
    std::chrono::milliseconds poll_interval;
    std::chrono::milliseconds missing_after;
    std::chrono::milliseconds missing_interval;
    std::chrono::milliseconds look_interval;
  };
  // The result of the start.
  struct Started {
    Names ports;  // the ports of CONFIG_DB
    bool write_init_done = true;
    bool warm = false;  // a PortInitDone in APPL_DB may be from before the restart
    SeenServer seen;
    bool server_was_restarted = false;  // it was restarted with its data after the start began
  };
  // Whether each is there, published or staged.
  struct Found {
    bool config_done = false;
    bool init_done = false;
  };

  explicit ApplWatch(const Timing& timing) : timing_(timing) {}

  // Begins to watch. From now on links pass, PortConfigDone is there, and APPL_DB is open.
  void begin(Started started, TimePoint now);

  void on_open() { server_ = Server::unsure; }
  void on_closed();

  // In this order: a link waits under this name; no link waits under it any more; a link of this name has passed.
  void on_waiting(const std::string& name);
  void on_settled(const std::string& name);
  void on_port(const std::string& name) { missing_.erase(name); }

  // The subscription to the table's events is active; an event has arrived.
  void on_subscribed() { to_check_ = waiting_; }
  void on_row_event(std::string_view name, std::string_view event);

  [[nodiscard]] Tasks on_checked(const Names& there, TimePoint now);
  [[nodiscard]] Tasks on_check_failed(bool refused, TimePoint now);
  [[nodiscard]] Tasks on_looked(const Found& found, const std::string& run_id, TimePoint now);
  void on_look_failed(TimePoint now);
  // The sink has stored the rows of all links that passed.
  [[nodiscard]] Tasks on_rows_stored(TimePoint now);
  // `rows_stored`: as for on_rows_stored(), now. More links may have passed during the look.
  [[nodiscard]] Tasks on_looked_before_init(bool config_done, bool rows_stored, TimePoint now);
  [[nodiscard]] Tasks on_init_written();
  void on_init_failed(bool refused, TimePoint now);
  // `count` consumers are subscribed. Pass 0 if the number is unknown: only a consumer that was seen counts.
  [[nodiscard]] Tasks on_consumers(std::size_t count, TimePoint now);
  // The connection was lost before the reply: they are counted once APPL_DB is open again.
  void on_count_lost();
  [[nodiscard]] Tasks on_time(TimePoint now);

  // Returns when to call on_time(); std::nullopt: not before another event.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // Returns whether PortInitDone waits only for the rows to be stored: no port's link, and no check of one, is missing.
  [[nodiscard]] bool wants_rows() const;
  [[nodiscard]] Names take_names();  // the names to check
  [[nodiscard]] const Names& missing() const noexcept { return missing_; }
  [[nodiscard]] InitDone init_done() const noexcept { return init_done_; }
  [[nodiscard]] ConfigDone config_done() const noexcept { return config_done_; }
  [[nodiscard]] Server server() const noexcept { return server_; }
  [[nodiscard]] Asked check() const noexcept { return check_; }
  [[nodiscard]] Consumers consumers() const noexcept { return consumers_; }

 private:
  [[nodiscard]] bool may_ask(TimePoint now) const;
  [[nodiscard]] bool checks() const noexcept { return check_ != Asked::idle || !to_check_.empty(); }
  [[nodiscard]] bool looking() const noexcept { return look_ == Asked::asking || look_ == Asked::asking_again; }
  void poll(TimePoint now, Tasks& tasks);
  void report_missing(TimePoint now, Tasks& tasks);
  void resume(TimePoint now, Tasks& tasks);
  void subscribe(Tasks& tasks);
  void doubt_consumers(TimePoint now);

  const Timing timing_;
  Server server_ = Server::away;
  ConfigDone config_done_ = ConfigDone::there;
  InitDone init_done_ = InitDone::wanted;
  Asked check_ = Asked::idle;
  Asked look_ = Asked::idle;
  Consumers consumers_ = Consumers::listening;
  SeenServer seen_;
  Names missing_;   // ports of CONFIG_DB whose link has not passed yet
  Names waiting_;   // names of links that wait for APPL_DB
  Names to_check_;  // those of waiting_ to check next
  std::chrono::milliseconds poll_interval_{0};
  std::optional<TimePoint> poll_at_;   // for the names in waiting_
  std::optional<TimePoint> retry_at_;  // for a refused request
  std::optional<TimePoint> count_at_;  // for count_consumers
  TimePoint report_deaf_at_;
  TimePoint report_missing_at_;
  TimePoint look_at_;
  bool subscribed_ = false;
  bool missing_reported_ = false;
  bool warm_ = false;
};

}  // namespace portsync::sonic
