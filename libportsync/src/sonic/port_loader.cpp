// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <portsync/redis/client_list.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <portsync/redis/tables.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "os/event_set.hpp"
#include "os/process_guard.hpp"
#include "sonic/port_gate.hpp"
#include "sonic/start_decision.hpp"

namespace portsync::sonic {
namespace {

using redis::FieldValues;

constexpr const char* port_table = "PORT_TABLE";
constexpr const char* port_config_done = "PortConfigDone";
constexpr const char* port_init_done = "PortInitDone";
constexpr std::string_view front_panel = "Ethernet";  // how SONiC's names of ports begin
constexpr std::chrono::milliseconds config_poll_interval{100};
constexpr std::chrono::seconds longest_poll_interval{60};
constexpr std::size_t links_in_a_turn = 32;  // to be set down: each may take a millisecond
constexpr int another_loader_intervals = 3;  // one that has just ended may be listed for a moment

bool has(const FieldValues& fields, std::string_view name, std::string_view value) {
  const std::string* found = redis::find_field(fields, name);
  return found != nullptr && *found == value;
}

PortLoaderOptions checked(PortLoaderOptions options) {
  for (const DatabaseOptions* database : {&options.config_db, &options.appl_db, &options.state_db}) {
    if (database->separator.empty()) throw std::invalid_argument("sonic: a database's separator is empty");
  }
  return options;
}

class Loader final : public PortLoader, private PortGate::Observer {
 public:
  Loader(LinkSource& links, PortLoaderOptions options)
      : options_(checked(std::move(options))),
        gate_(links, options_.filter, *this),
        config_(*this, options_.config_db.connection, "CONFIG_DB"),
        appl_(*this, options_.appl_db.connection, "APPL_DB"),
        state_(*this, options_.state_db.connection, "STATE_DB"),
        staged_(*appl_.database, port_table, options_.appl_db.separator, options_.appl_db.connection.database),
        subscriber_(
            redis::make_table_subscriber({options_.appl_db.connection, port_table, options_.appl_db.separator, {}})) {
    std::uint32_t id = first_database_id;
    for (const Database* database : databases()) events_.add(database->database->fd(), EPOLLIN, id++);
    events_.add(subscriber_->fd(), EPOLLIN, subscriber_id);
  }

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }
  [[nodiscard]] LinkSource& links() noexcept override { return gate_; }

  [[nodiscard]] std::error_code start(Listener listener) override {
    if (listener_) return Errc::already_started;
    listener_ = std::move(listener);
    for (Database* database : databases()) {
      if (const std::error_code error = database->database->start(*database)) return error;
    }
    return {};
  }

  void stop() override {
    phase_ = Phase::ended;
    ++attempt_;
  }

  void rows_may_be_stored() override {
    if (wants_to_say_init_done()) wake();
  }

  [[nodiscard]] std::error_code process() override {
    if (!listener_) return Errc::not_started;
    const os::ProcessGuard guard(processing_);
    now_ = os::now();
    epoll_event ready[os::EventSet::max_events];
    const int count = events_.poll(ready);
    std::error_code error;
    for (int i = 0; i < count && !error; ++i) error = dispatch(ready[i].data.u32);
    if (phase_ != Phase::ended) advance();
    events_.arm(deadline());
    return error;
  }

  [[nodiscard]] std::string waiting_for() const override {
    if (phase_ == Phase::ended || init_done_) return "";
    if (!another_loader_.empty()) return another_loader_ + ", another portsyncd that loads these ports, to end";
    if (phase_ == Phase::running)
      return std::to_string(missing_.size()) + " of " + std::to_string(ports_.size()) + " ports";
    if (!config_.read) return config_.what();
    if (!snapshot_) return "the first snapshot of the links";
    if (!appl_.read) return appl_.what();
    if (!state_.read) return state_.what();
    return "APPL_DB to take the ports";
  }

 private:
  //   reading       of the databases, and of the first snapshot of the links
  //   setting_down  what a stopped swss has left behind
  //   writing       the ports, then PortConfigDone, then restore_count
  //   running       links pass when their ports are in APPL_DB; PortInitDone when all have
  enum class Phase : std::uint8_t { reading, setting_down, writing, running, ended };

  // One of the three, and whether what the start needs of it has been read since it was opened.
  struct Database final : redis::Database::Observer {
    Database(Loader& its_loader, const redis::ConnectionOptions& options, const char* its_name)
        : loader(its_loader), name(its_name), database(redis::make_database(options)) {}

    void on_open() override {
      asking = read = false;
      loader.on_open(*this);
    }
    void on_closed(std::error_code) override {
      asking = read = false;
      wanted.clear();
      loader.on_closed(*this);
    }
    [[nodiscard]] std::string what() const {
      if (!wanted.empty()) return wanted;
      const std::string& error = database->last_error();
      return name + (database->open() || error.empty() ? "" : ": " + error);
    }

    Loader& loader;
    const std::string name;
    std::unique_ptr<redis::Database> database;
    std::string wanted;  // what of it is waited for, when it is not the connection
    bool asking = false;
    bool read = false;
  };

  struct Subscription final : redis::TableSubscriber::Observer {
    explicit Subscription(Loader& its_loader) : loader(its_loader) {}
    void on_subscribed() override { loader.to_check_ = loader.waiting_; }
    void on_event(std::string_view name, std::string_view event) override {
      const auto found = loader.waiting_.find(name);
      if (found != loader.waiting_.end() && event != "del") loader.to_check_.insert(*found);
    }
    Loader& loader;
  };

  static constexpr std::uint32_t subscriber_id = 1;
  static constexpr std::uint32_t first_database_id = 2;

  [[nodiscard]] std::array<Database*, 3> databases() { return {&config_, &appl_, &state_}; }
  [[nodiscard]] std::array<const Database*, 3> databases() const { return {&config_, &appl_, &state_}; }

  std::error_code dispatch(std::uint32_t id) {
    if (id == os::EventSet::timer_id) return {};
    if (id == subscriber_id) return subscriber_->process();
    return databases().at(id - first_database_id)->database->process();
  }

  void tell(const LoaderEvent& event) const { listener_(event); }

  // ---- the start

  void on_open(Database& database) {
    database.wanted.clear();
    if (phase_ == Phase::running) {
      if (&database == &appl_) lost_sight_ = true;
    } else if (phase_ != Phase::ended) {
      begin_again();
    }
  }

  void on_closed(Database& database) {
    if (phase_ == Phase::writing || phase_ == Phase::setting_down) begin_again();
    if (&database != &appl_ || phase_ != Phase::running) return;
    checking_ = looking_ = false;
    retry_at_.reset();  // nothing is tried before it is open again, and all of it then
    told_waiting(appl_.what());
  }

  // What was read may not hold any more, and what was written may not be there: both are found out by reading.
  void begin_again() {
    phase_ = Phase::reading;
    ++attempt_;
    for (Database* database : databases()) database->asking = database->read = false;
    next_poll_.reset();
  }

  // An error reply, or nothing to go on with yet.
  void try_again(std::chrono::milliseconds pause) {
    begin_again();
    next_poll_ = now_ + pause;
  }

  void told_waiting(const std::string& text) {
    told_refusal_.clear();
    if (std::exchange(told_waiting_, text) != text) tell({.kind = LoaderEvent::Kind::waiting, .text = text});
  }

  // APPL_DB and STATE_DB are read last: what they say of the start must not be as old as the wait for the rest.
  void advance() {
    if (phase_ == Phase::reading) {
      if (!next_poll_ || now_ >= *next_poll_) {
        next_poll_.reset();
        if (may_read(config_)) read_config();
        if (config_.read && snapshot_ && may_read(appl_)) read_appl();
        if (config_.read && snapshot_ && may_read(state_)) read_state();
      }
      if (config_.read && appl_.read && state_.read && snapshot_) begin();
      if (phase_ == Phase::reading && told_refusal_.empty() && is_stuck()) told_waiting(waiting_for());
    }
    if (phase_ == Phase::setting_down) set_some_down();
    if (phase_ == Phase::running) run();
  }

  [[nodiscard]] static bool may_read(const Database& database) {
    return database.database->open() && !database.asking && !database.read;
  }

  // Not just on its way: nothing goes on before something else happens.
  [[nodiscard]] bool is_stuck() const {
    if (!config_.wanted.empty() || !another_loader_.empty()) return true;
    const auto needed = databases();
    return std::any_of(needed.begin(), needed.end(), [](const Database* database) {
      return !database->database->open() && !database->database->last_error().empty();
    });
  }

  // Wraps what is to be done with an answer: nothing when the start was begun anew since, and again after a pause when
  // it is an error. A lost connection's errors are followed by on_closed().
  template <typename F>
  auto answer(Database& database, const char* verb, F use) {
    return [this, &database, verb, use = std::move(use), attempt = attempt_](std::error_code error,
                                                                             const auto&... answer) {
      if (attempt != attempt_) return;
      if (!error) return use(answer...);
      if (!database.database->open()) return;
      tell_refused(database, verb, error);
      try_again(options_.poll_interval);
    };
  }
  template <typename F>
  auto read(Database& database, F use) {
    return answer(database, "read", std::move(use));
  }
  template <typename F>
  auto written(Database& database, F next) {
    return answer(database, "write", std::move(next));
  }

  void tell_refused(const Database& database, const char* verb, std::error_code error) {
    told_waiting_.clear();
    const std::string text =
        std::string("cannot ") + verb + " " + database.name + ": " + database.database->last_error();
    if (std::exchange(told_refusal_, text) == text) return;
    tell({.kind = LoaderEvent::Kind::refused, .text = text, .error = error});
  }

  void read_config() {
    config_.asking = true;
    std::ignore = config_.database->command({"GET", "CONFIG_DB_INITIALIZED"},
                                            read(config_, [this](const redis::Answer& initialized) {
                                              if (initialized.text == "1") return read_ports();
                                              config_.wanted = "CONFIG_DB_INITIALIZED in CONFIG_DB";
                                              config_.asking = false;
                                              next_poll_ = now_ + config_poll_interval;
                                            }));
  }

  void read_ports() {
    config_.wanted.clear();
    redis::TableReader metadata(*config_.database, "DEVICE_METADATA", options_.config_db.separator);
    std::ignore = metadata.read("localhost", read(config_, [this](const FieldValues& fields) {
                                  evidence_.dpu = has(fields, "switch_type", "dpu");
                                }));
    redis::TableReader ports(*config_.database, "PORT", options_.config_db.separator);
    std::ignore = ports.read_all(read(config_, [this](const std::vector<redis::TableRow>& rows) {
      ports_ = rows;
      config_.read = true;
    }));
  }

  void read_appl() {
    appl_.asking = true;
    if (!options_.loader_name_prefix.empty()) {
      // Who may not ask is not kept from working by it.
      std::ignore = appl_.database->command(
          {"CLIENT", "LIST"}, [this, attempt = attempt_](std::error_code error, const redis::Answer& list) {
            if (!error && attempt == attempt_) look_for_another_loader(list.text);
          });
    }
    look_for(port_config_done, read(appl_, [this](const redis::Answer& found) {
               evidence_.port_config_done = found.integer > 0;
               if (!evidence_.port_config_done && is_another_server()) return end_for_lost_data();
               if (evidence_.port_config_done) saw_port_config_done();
             }));
    look_for(port_init_done,
             read(appl_, [this](const redis::Answer& found) { evidence_.port_init_done = found.integer > 0; }));
    redis::TableReader published(*appl_.database, port_table, options_.appl_db.separator);
    std::ignore = published.names(read(appl_, [this](const std::set<std::string, std::less<>>& names) {
      published_ = names;
      if (!another_loader_.empty()) return try_again(options_.poll_interval);
      appl_.read = true;
    }));
  }

  // In either form: published, or staged and not taken yet.
  void look_for(const char* name, redis::Database::Handler handler) {
    const std::string published = port_table + options_.appl_db.separator + name;
    std::ignore = appl_.database->command({"EXISTS", published, "_" + published}, std::move(handler));
  }

  // The server process that APPL_DB's connection is to is not the one in which PortConfigDone was seen.
  [[nodiscard]] bool is_another_server() const {
    const std::string& run_id = appl_.database->run_id();
    return !run_id.empty() && !run_id_.empty() && run_id != run_id_;
  }
  void saw_port_config_done() {
    config_done_seen_ = true;
    config_done_gone_ = false;
    note_server();
  }
  void note_server() {
    if (!appl_.database->run_id().empty()) run_id_ = appl_.database->run_id();
  }
  void end_for_lost_data() {
    stop();
    tell({.kind = LoaderEvent::Kind::data_lost});
  }

  // Of two that start together the younger gives way, and of one that runs already whoever comes.
  void look_for_another_loader(const std::string& client_list) {
    const std::string& prefix = options_.loader_name_prefix;
    const std::string& own = options_.appl_db.connection.client_name;
    const auto clients = redis::named_clients(client_list);
    const auto is_own = [&own](const auto& client) { return client.name.substr(0, own.size()) == own; };
    const auto older = [](const auto& a, const auto& b) { return a.id < b.id; };
    std::vector<redis::ListedClient> loaders;
    std::copy_if(clients.begin(), clients.end(), std::back_inserter(loaders),
                 [&prefix](const auto& client) { return client.name.substr(0, prefix.size()) == prefix; });
    const auto oldest = std::min_element(loaders.begin(), loaders.end(), older);
    if (oldest == loaders.end() || is_own(*oldest)) {
      another_loader_.clear();
      another_loader_since_.reset();
      return;
    }
    another_loader_ = oldest->name;
    if (!another_loader_since_) another_loader_since_ = now_;
    if (now_ - *another_loader_since_ < another_loader_intervals * options_.poll_interval) return;
    stop();
    tell({.kind = LoaderEvent::Kind::another_loader, .text = another_loader_});
  }

  void read_state() {
    state_.asking = true;
    evidence_.warm_enabled = false;
    redis::TableReader enable(*state_.database, "WARM_RESTART_ENABLE_TABLE", options_.state_db.separator);
    for (const char* whose : {"system", "swss"}) {
      std::ignore = enable.read(whose, read(state_, [this](const FieldValues& fields) {
                                  if (has(fields, "enable", "true")) evidence_.warm_enabled = true;
                                }));
    }
    redis::TableReader warm(*state_.database, "WARM_RESTART_TABLE", options_.state_db.separator);
    std::ignore = warm.read("portsyncd", read(state_, [this](const FieldValues& fields) {
                              const std::string* count = redis::find_field(fields, "restore_count");
                              evidence_.restore_count = count == nullptr ? std::nullopt : std::optional(*count);
                              state_.read = true;
                            }));
  }

  // What has been counted for this start is not counted again when its answer was lost.
  void begin() {
    decision_ = decide(evidence_);
    if (restore_count_) decision_.restore_count = restore_count_;
    // A second try finds its own PortConfigDone, and is no other start for that.
    if (!std::exchange(started_, true)) {
      tell({.kind = LoaderEvent::Kind::started, .mode = decision_.mode, .count = ports_.size()});
      if (decision_.set_leftovers_down) leftovers_ = leftovers();
    }
    phase_ = Phase::setting_down;
  }

  // What swss makes, whatever else the filter matches.
  [[nodiscard]] std::vector<PortGate::Candidate> leftovers() const {
    std::vector<PortGate::Candidate> links = gate_.candidates();
    const auto is_of_others = [this](const PortGate::Candidate& link) {
      return link.name.compare(0, front_panel.size(), front_panel) != 0 &&
             std::none_of(ports_.begin(), ports_.end(), [&link](const auto& port) { return port.name == link.name; });
    };
    links.erase(std::remove_if(links.begin(), links.end(), is_of_others), links.end());
    return links;
  }

  // Before PortConfigDone, after which orchagent makes links that must not be taken for leftovers.
  void set_some_down() {
    if (!options_.set_link_down) keep_leftovers(std::make_error_code(std::errc::operation_not_supported));
    for (std::size_t i = 0; i < links_in_a_turn && !leftovers_.empty(); ++i) {
      const PortGate::Candidate& link = leftovers_.back();
      const std::error_code error = options_.set_link_down(link.ifindex);
      if (error == std::errc::operation_not_permitted) {
        keep_leftovers(error);
        break;
      }
      if (!error) {
        gate_.ignore(link.ifindex);
        tell({.kind = LoaderEvent::Kind::link_set_down, .ifindex = link.ifindex, .port = link.name});
      } else if (error != std::errc::no_such_device) {
        tell({.kind = LoaderEvent::Kind::links_kept, .count = 1, .port = link.name, .error = error});
      }
      leftovers_.pop_back();
    }
    if (leftovers_.empty()) write();
  }

  void keep_leftovers(std::error_code error) {
    if (leftovers_.empty()) return;
    tell({.kind = LoaderEvent::Kind::links_kept, .count = leftovers_.size(), .error = error});
    leftovers_.clear();
  }

  // One after the other: a start that ends in between must find neither PortConfigDone without its ports nor a count of
  // a start that was none.
  void write() {
    phase_ = Phase::writing;
    if (!decision_.load_ports) return write_restore_count();
    if (ports_.empty()) return write_port_config_done();
    std::ignore = staged_.set(ports_, written(appl_, [this] { write_port_config_done(); }));
  }

  // Seen is what was acknowledged: one whose answer is lost may never have been there, and its loss would be none.
  void write_port_config_done() {
    std::ignore = staged_.set({{port_config_done, {{"count", std::to_string(ports_.size())}}}}, written(appl_, [this] {
                                saw_port_config_done();
                                write_restore_count();
                              }));
  }

  void write_restore_count() {
    restore_count_ = decision_.restore_count;
    if (!decision_.restore_count) return on_written();
    redis::TableWriter warm(*state_.database, "WARM_RESTART_TABLE", options_.state_db.separator);
    std::ignore =
        warm.set("portsyncd", {{"restore_count", *decision_.restore_count}}, written(state_, [this] { on_written(); }));
  }

  void on_written() {
    phase_ = Phase::running;
    told_waiting_.clear();
    told_refusal_.clear();
    tell({.kind = LoaderEvent::Kind::running,
          .mode = decision_.mode,
          .count = ports_.size(),
          .text = run_id_.empty() ? "the server does not say its run_id: whether it has lost its data cannot be told"
                                  : ""});
    next_poll_.reset();
    init_done_ = !decision_.say_init_done;
    missing_.clear();
    for (const redis::TableRow& row : ports_) missing_.insert(row.name);
    report_missing_at_ = now_ + options_.missing_after;
    next_look_ = now_ + options_.look_interval;
    for (const std::string& name : published_) gate_.admit(name);
    gate_.open();
  }

  // ---- and from then on

  void on_snapshot() override {
    snapshot_ = true;
    wake();
  }
  void on_waiting(const std::string& name) override {
    waiting_.insert(name);
    to_check_.insert(name);
    poll_interval_ = options_.poll_interval;
    wake();
  }
  void on_settled(const std::string& name) override {
    waiting_.erase(name);
    to_check_.erase(name);
  }
  void on_port(const std::string& name) override {
    missing_.erase(name);
    if (wants_to_say_init_done()) wake();
  }
  // The gate is driven by the Synchronizer: what it tells is dealt with in our own process().
  void wake() { events_.arm(TimePoint{}); }

  void run() {
    close_what_was_read();
    if (next_poll_ && now_ >= *next_poll_) {
      next_poll_.reset();
      to_check_ = waiting_;
      if (names_refused_ && waiting_.empty()) resume();  // nothing is left to be read
      poll_interval_ = std::min<std::chrono::milliseconds>(2 * poll_interval_, longest_poll_interval);
      if (waiting_.empty() && std::exchange(subscribed_, false)) subscriber_->stop();
    }
    if (!init_done_ && now_ >= report_missing_at_) report_missing();
    if (!appl_.database->open() || (retry_at_ && now_ < *retry_at_)) return;
    retry_at_.reset();
    if (lost_sight_) {
      if (!looking_) look_for_port_config_done();
      return;  // nothing is written into a database that may have lost its data
    }
    if (now_ >= next_look_ && !looking_) look_for_port_config_done();
    if (!checking_ && !to_check_.empty()) check_names();
    if (wants_to_say_init_done() && rows_are_stored()) say_init_done();
  }

  // CONFIG_DB and STATE_DB have told what the start needed.
  void close_what_was_read() {
    for (Database* database : {&config_, &state_}) {
      if (!database->database) continue;
      events_.remove(database->database->fd());
      database->database.reset();
    }
  }

  [[nodiscard]] bool wants_to_say_init_done() const {
    return phase_ == Phase::running && missing_.empty() && !init_done_ && !saying_init_done_ && !config_done_gone_;
  }
  [[nodiscard]] bool rows_are_stored() const { return !options_.rows_are_stored || options_.rows_are_stored(); }

  // A name that is not there yet is waited for by subscription. Where keyspace events are off it is looked for, ever
  // more rarely.
  void check_names() {
    checking_ = true;
    const std::vector<std::string> names(to_check_.begin(), to_check_.end());
    to_check_.clear();
    redis::TableReader published(*appl_.database, port_table, options_.appl_db.separator);
    const std::error_code error = published.existing(names, [this](std::error_code failed, const auto& there) {
      checking_ = false;
      if (failed && appl_.database->open()) {
        names_refused_ = true;
        tell_refused(appl_, "read", failed);
      } else if (!failed && names_refused_) {
        resume();
      }
      for (const std::string& name : there) gate_.admit(name);
      next_poll_ = now_ + poll_interval_;
      const bool some_wait = failed || std::any_of(waiting_.begin(), waiting_.end(), [&there](const auto& name) {
                               return there.find(name) == there.end();
                             });
      if (some_wait && !std::exchange(subscribed_, true)) std::ignore = subscriber_->start(subscription_);
    });
    if (error) checking_ = false;
  }

  // Not to a swss that has been started anew, and has not been told of the ports.
  void say_init_done() {
    saying_init_done_ = true;
    look_for(port_config_done, [this](std::error_code error, const redis::Answer& found) {
      const bool there = !error && (found.integer > 0 || !config_done_seen_);
      if (phase_ == Phase::running && there) return stage_init_done();
      saying_init_done_ = false;
      if (error) return not_said(error, "read");
      next_look_ = now_;  // it is gone: that is told
    });
  }
  void not_said(std::error_code error, const char* verb) {
    if (phase_ != Phase::running || !appl_.database->open()) return;
    retry_at_ = now_ + options_.poll_interval;
    tell_refused(appl_, verb, error);
  }

  void stage_init_done() {
    std::ignore = staged_.set({{port_init_done, {{"lanes", "0"}}}}, [this](std::error_code failed) {
      saying_init_done_ = false;
      if (phase_ != Phase::running) return;
      if (!failed) return on_init_done();
      init_done_unsure_ = true;
      not_said(failed, "write");
    });
  }

  void on_init_done() {
    init_done_ = true;
    tell({.kind = LoaderEvent::Kind::port_init_done});
  }

  void report_missing() {
    report_missing_at_ = now_ + options_.missing_interval;
    if (missing_.empty() || config_done_gone_) return;
    missing_reported_ = true;
    const std::vector<std::string> names(missing_.begin(), missing_.end());
    tell({.kind = LoaderEvent::Kind::ports_missing, .count = ports_.size(), .ports = &names});
  }

  // All is right with APPL_DB: what is still missing is not, and must not be forgotten for that.
  void resume() {
    names_refused_ = false;
    told_refusal_.clear();
    told_waiting_.clear();
    if (config_done_gone_) return;
    tell({.kind = LoaderEvent::Kind::resumed});
    if (!init_done_ && missing_reported_) report_missing();
  }

  // APPL_DB is open again, or it is time. Only another server process that knows nothing of PortConfigDone has lost
  // what orchagent lives on; a pause, or a restart with its data, has not. Gone from the same process it was taken
  // away, as swss does when it starts: what has started waits for another one.
  void look_for_port_config_done() {
    looking_ = true;
    next_look_ = now_ + options_.look_interval;
    look_for(port_config_done, [this](std::error_code error, const redis::Answer& found) {
      if (error || phase_ != Phase::running) return;
      if (found.integer == 0 && is_another_server()) return end_for_lost_data();
      if (found.integer > 0) {
        lost_sight_ = std::exchange(config_done_gone_, false) || lost_sight_;
        saw_port_config_done();
      } else if (config_done_seen_ && !std::exchange(config_done_gone_, true)) {
        tell({.kind = LoaderEvent::Kind::config_done_gone});
      }
    });
    look_for(port_init_done, [this](std::error_code error, const redis::Answer& found) {
      looking_ = false;
      if (phase_ != Phase::running) return;
      if (error) {  // LOADING, for one: it is looked at again
        retry_at_ = now_ + options_.poll_interval;
        return;
      }
      note_server();
      if (!std::exchange(lost_sight_, false)) return;
      to_check_ = waiting_;
      resume();
      // Warm, the one that is there may be of the time before.
      const bool said = std::exchange(init_done_unsure_, false) && found.integer > 0;
      if (said && decision_.mode != StartMode::warm && !init_done_) on_init_done();
    });
  }

  [[nodiscard]] std::optional<TimePoint> deadline() const {
    if (phase_ == Phase::ended) return std::nullopt;
    if (phase_ == Phase::setting_down) return now_;
    std::optional<TimePoint> first = next_poll_;
    const auto consider = [&first](TimePoint time) { first = std::min(first.value_or(time), time); };
    if (retry_at_) consider(*retry_at_);
    if (phase_ == Phase::running && !init_done_) consider(report_missing_at_);
    if (phase_ == Phase::running && appl_.database->open() && !looking_ && !retry_at_) consider(next_look_);
    return first;
  }

  const PortLoaderOptions options_;
  PortGate gate_;
  Database config_;
  Database appl_;
  Database state_;
  redis::ProducerTable staged_;
  std::unique_ptr<redis::TableSubscriber> subscriber_;
  Subscription subscription_{*this};
  os::EventSet events_;
  Listener listener_;
  TimePoint now_;

  Phase phase_ = Phase::reading;
  std::uint64_t attempt_ = 0;  // the start was begun so often: answers to an earlier one are of no use
  Evidence evidence_;
  Decision decision_;
  std::vector<redis::TableRow> ports_;  // of CONFIG_DB
  std::set<std::string, std::less<>> published_;
  std::vector<PortGate::Candidate> leftovers_;
  std::optional<std::string> restore_count_;  // as this start has, or may have, written it
  std::string run_id_;                        // of the server process in which PortConfigDone was seen
  std::string another_loader_;
  std::optional<TimePoint> another_loader_since_;
  std::string told_waiting_;
  std::string told_refusal_;
  bool started_ = false;
  bool snapshot_ = false;

  std::set<std::string, std::less<>> missing_;   // in CONFIG_DB, and no link has passed yet
  std::set<std::string, std::less<>> waiting_;   // links that wait for APPL_DB
  std::set<std::string, std::less<>> to_check_;  // of these, to be looked for
  std::chrono::milliseconds poll_interval_{0};
  std::optional<TimePoint> next_poll_;
  std::optional<TimePoint> retry_at_;  // what APPL_DB has refused while running
  TimePoint report_missing_at_;
  bool missing_reported_ = false;
  TimePoint next_look_;  // for PortConfigDone
  bool config_done_seen_ = false;
  bool config_done_gone_ = false;
  bool names_refused_ = false;  // APPL_DB did not let us read them
  bool checking_ = false;
  bool lost_sight_ = false;  // APPL_DB was closed: what it holds is not known
  bool looking_ = false;     // at it
  bool subscribed_ = false;
  bool init_done_ = false;
  bool saying_init_done_ = false;
  bool init_done_unsure_ = false;  // its answer was lost
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<PortLoader> make_port_loader(LinkSource& links, PortLoaderOptions options) {
  return std::make_unique<Loader>(links, std::move(options));
}

}  // namespace portsync::sonic
