// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <portsync/redis/client_list.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/table_subscriber.hpp>
#include <portsync/redis/tables.hpp>
#include <portsync/sonic/port_loader.hpp>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "os/background.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"
#include "sonic/appl_watch.hpp"
#include "sonic/port_gate.hpp"
#include "sonic/port_start.hpp"

namespace portsync::sonic {
namespace {

using redis::FieldValues;

constexpr const char* port_table = "PORT_TABLE";
constexpr const char* announced = "PORT_TABLE_KEY_SET";  // the names that the consumer has not taken yet
constexpr const char* port_config_done = "PortConfigDone";
constexpr const char* port_init_done = "PortInitDone";
constexpr std::string_view front_panel = "Ethernet";  // the prefix of SONiC's port names

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

// Returns the name of the oldest client of APPL_DB that loads ports, or "" if that client is ours.
std::string other_loader(const std::string& client_list, const std::string& prefix, const std::string& own) {
  const auto clients = redis::named_clients(client_list);
  const redis::ListedClient* oldest = nullptr;
  for (const redis::ListedClient& client : clients) {
    if (client.name.compare(0, prefix.size(), prefix) != 0) continue;
    if (oldest == nullptr || client.id < oldest->id) oldest = &client;
  }
  if (oldest == nullptr || oldest->name.compare(0, own.size(), own) == 0) return "";
  return oldest->name;
}

// Does the input and output. PortStart decides during the start, and ApplWatch decides after it.
class PortLoaderImpl final : public PortLoader, private PortGate::Observer {
 public:
  PortLoaderImpl(LinkSource& links, PortLoaderOptions options)
      : options_(checked(std::move(options))),
        gate_(links, options_.filter, *this),
        config_(*this, options_.config_db.connection, "CONFIG_DB", PortStart::Source::config_db),
        appl_(*this, options_.appl_db.connection, "APPL_DB", PortStart::Source::appl_db),
        state_(*this, options_.state_db.connection, "STATE_DB", PortStart::Source::state_db),
        staged_(*appl_.database, port_table, options_.appl_db.separator, options_.appl_db.connection.database),
        subscriber_(
            redis::make_table_subscriber({options_.appl_db.connection, port_table, options_.appl_db.separator, {}})),
        start_(options_.poll_interval),
        watch_({options_.poll_interval, options_.missing_after, options_.missing_interval, options_.look_interval}) {
    std::uint32_t id = first_database_id;
    for (const Database* database : databases()) events_.add(database->database->fd(), EPOLLIN, id++);
    events_.add(subscriber_->fd(), EPOLLIN, subscriber_id);
    events_.add(set_down_.fd(), EPOLLIN, set_down_id);
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

  void stop() override { start_.stop(); }

  void rows_may_be_stored() override {
    if (running() && watch_.wants_rows()) wake();
  }

  [[nodiscard]] std::error_code process() override {
    if (!listener_) return Errc::not_started;
    const os::ProcessGuard guard(processing_);
    now_ = os::now();
    epoll_event ready[os::EventSet::max_events];
    const int count = events_.poll(ready);
    std::error_code error;
    for (int i = 0; i < count && !error; ++i) error = dispatch(ready[i].data.u32);
    advance();
    events_.arm(running() ? watch_.deadline() : start_.deadline());
    return error;
  }

  [[nodiscard]] std::string waiting_for() const override {
    if (running()) {
      if (watch_.init_done() == ApplWatch::InitDone::done) return "";
      return std::to_string(watch_.missing().size()) + " of " + std::to_string(ports_.size()) + " ports";
    }
    switch (start_.waits_for()) {
      case PortStart::Wait::nothing:
        return "";
      case PortStart::Wait::loader:
        return start_.another_loader() + ", another portsyncd that loads these ports, to end";
      case PortStart::Wait::initialized:
        return "CONFIG_DB_INITIALIZED in CONFIG_DB";
      case PortStart::Wait::config_db:
        return config_.what();
      case PortStart::Wait::links:
        return "the first snapshot of the links";
      case PortStart::Wait::appl_db:
        return appl_.what();
      case PortStart::Wait::state_db:
        return state_.what();
      case PortStart::Wait::writes:
        return "APPL_DB to take the ports";
    }
    return "";
  }

 private:
  // One of the three databases.
  struct Database final : redis::Database::Observer {
    Database(PortLoaderImpl& its_loader, const redis::ConnectionOptions& options, const char* its_name,
             PortStart::Source its_source)
        : loader(its_loader), name(its_name), source(its_source), database(redis::make_database(options)) {}

    void on_open() override { loader.on_open(*this); }
    void on_closed(std::error_code) override { loader.on_closed(*this); }
    [[nodiscard]] std::string what() const {
      const std::string& error = database->last_error();
      return name + (database->open() || error.empty() ? "" : ": " + error);
    }

    PortLoaderImpl& loader;
    const std::string name;
    const PortStart::Source source;
    std::unique_ptr<redis::Database> database;
  };

  struct Subscription final : redis::TableSubscriber::Observer {
    explicit Subscription(PortLoaderImpl& its_loader) : loader(its_loader) {}
    void on_subscribed() override { loader.watch_.on_subscribed(); }
    void on_event(std::string_view name, std::string_view event) override { loader.watch_.on_row_event(name, event); }
    void on_refused(std::error_code error) override {
      const std::string text = "cannot subscribe to " + loader.appl_.name + ": " + loader.subscriber_->last_error();
      loader.report({.kind = LoaderEvent::Kind::subscription_refused, .text = text, .error = error});
    }
    PortLoaderImpl& loader;
  };

  static constexpr std::uint32_t subscriber_id = 1;
  static constexpr std::uint32_t set_down_id = 2;
  static constexpr std::uint32_t first_database_id = 3;

  [[nodiscard]] std::array<Database*, 3> databases() { return {&config_, &appl_, &state_}; }
  [[nodiscard]] std::array<const Database*, 3> databases() const { return {&config_, &appl_, &state_}; }
  [[nodiscard]] bool running() const { return start_.phase() == PortStart::Phase::running; }

  std::error_code dispatch(std::uint32_t id) {
    if (id == os::EventSet::timer_id) return {};
    if (id == subscriber_id) return subscriber_->process();
    if (id == set_down_id) {
      on_set_down();
      return {};
    }
    return databases().at(id - first_database_id)->database->process();
  }

  void on_open(Database& database) {
    if (!running()) return perform(start_.on_open(database.source, now_));
    if (&database == &appl_) watch_.on_open();
  }

  void on_closed(Database& database) {
    if (!running()) return perform(start_.on_closed(database.source, now_));
    if (&database != &appl_) return;
    watch_.on_closed();
    report_waiting(appl_.what());
  }

  void advance() {
    if (std::exchange(snapshot_arrived_, false)) perform(start_.on_snapshot(now_));
    perform(start_.on_time(now_));
    if (start_.phase() == PortStart::Phase::reading && reported_refusal_.empty() && is_stuck()) {
      report_waiting(waiting_for());
    }
    if (!running()) return;
    close_what_was_read();
    perform(watch_.on_time(now_));
    if (watch_.wants_rows() && rows_are_stored()) perform(watch_.on_rows_stored(now_));
  }

  // Returns whether the start is blocked until an event from outside, and not only busy.
  [[nodiscard]] bool is_stuck() const {
    const PortStart::Wait wait = start_.waits_for();
    if (wait == PortStart::Wait::initialized || wait == PortStart::Wait::loader) return true;
    const auto needed = databases();
    return std::any_of(needed.begin(), needed.end(), [](const Database* database) {
      return !database->database->open() && !database->database->last_error().empty();
    });
  }

  // Closes CONFIG_DB and STATE_DB, because only the start reads them. Must not be called from their own handlers.
  void close_what_was_read() {
    for (Database* database : {&config_, &state_}) {
      if (!database->database) continue;
      events_.remove(database->database->fd());
      database->database.reset();
    }
  }

  [[nodiscard]] bool rows_are_stored() const {
    if (gate_.will_pass()) return false;
    return !options_.rows_are_stored || options_.rows_are_stored();
  }

  // ---- reports

  void report(const LoaderEvent& event) const { listener_(event); }

  void report_waiting(const std::string& text) {
    reported_refusal_.clear();
    if (std::exchange(reported_waiting_, text) != text) report({.kind = LoaderEvent::Kind::waiting, .text = text});
  }

  void report_refused(const Database& database, const char* verb, std::error_code error) {
    reported_waiting_.clear();
    const std::string text =
        std::string("cannot ") + verb + " " + database.name + ": " + database.database->last_error();
    if (std::exchange(reported_refusal_, text) == text) return;
    report({.kind = LoaderEvent::Kind::refused, .text = text, .error = error});
  }

  void forget_what_was_reported() {
    reported_refusal_.clear();
    reported_waiting_.clear();
  }

  // ---- the start

  void perform(const PortStart::Tasks& tasks) {
    for (const PortStart::Task task : tasks) perform(task);
  }

  void perform(PortStart::Task task) {
    switch (task) {
      case PortStart::Task::read_initialized:
        return read_initialized();
      case PortStart::Task::read_ports:
        return read_ports();
      case PortStart::Task::read_appl:
        return read_appl();
      case PortStart::Task::read_state:
        return read_state();
      case PortStart::Task::report_started:
        return on_started();
      case PortStart::Task::set_down:
        return set_next_down();
      case PortStart::Task::write_ports:
        return write_ports();
      case PortStart::Task::write_config_done:
        return write_config_done();
      case PortStart::Task::write_restore_count:
        return write_restore_count();
      case PortStart::Task::run:
        return run();
      case PortStart::Task::end_data_lost:
        return report({.kind = LoaderEvent::Kind::data_lost});
      case PortStart::Task::end_another_loader:
        return report({.kind = LoaderEvent::Kind::another_loader, .text = start_.another_loader()});
    }
  }

  // Returns a handler that passes a reply to `use`. The handler ignores a reply to an earlier attempt. On a refusal it
  // reports the error and starts again after a pause. It ignores the errors of a lost connection, because on_closed()
  // follows them.
  template <typename F>
  auto answer(Database& database, const char* verb, F use) {
    return [this, &database, verb, use = std::move(use), attempt = start_.attempt()](std::error_code error,
                                                                                     const auto&... answer) {
      if (attempt != start_.attempt()) return;
      if (!error) return use(answer...);
      if (!database.database->open()) return;
      report_refused(database, verb, error);
      start_.on_refused(now_);
    };
  }
  template <typename F>
  auto read(Database& database, F use) {
    return answer(database, "read", std::move(use));
  }
  auto written(Database& database) {
    return answer(database, "write", [this] { perform(start_.on_written(appl_.database->run_id())); });
  }

  void read_initialized() {
    std::ignore = config_.database->command(
        {"GET", "CONFIG_DB_INITIALIZED"}, read(config_, [this](const redis::Answer& initialized) {
          perform(initialized.text == "1" ? start_.on_initialized() : start_.on_not_initialized(now_));
        }));
  }

  // Reads the ports of CONFIG_DB. An "@" in a field's name marks a list. Truncates the name there, as swss-common does.
  void read_ports() {
    redis::TableReader metadata(*config_.database, "DEVICE_METADATA", options_.config_db.separator);
    std::ignore = metadata.read(
        "localhost", read(config_, [this](const FieldValues& fields) { dpu_ = has(fields, "switch_type", "dpu"); }));
    redis::TableReader ports(*config_.database, "PORT", options_.config_db.separator);
    std::ignore = ports.read_all(read(config_, [this](const std::vector<redis::TableRow>& rows) {
      ports_ = rows;
      for (redis::TableRow& row : ports_) {
        for (auto& [field, value] : row.fields) field.resize(std::min(field.find('@'), field.size()));
      }
      if (options_.configured_names_match) match_configured_names();
      perform(start_.on_config(dpu_, ports_.size(), now_));
    }));
  }

  // Adds only the names that no glob matches: usually there is none, and then the filter stays as it is.
  void match_configured_names() {
    PortFilter filter = options_.filter;
    for (const redis::TableRow& port : ports_) {
      if (!options_.filter.matches_name(port.name)) filter.also.insert(port.name);
    }
    if (filter == gate_.filter()) return;
    const std::vector<std::string> names(filter.also.begin(), filter.also.end());
    gate_.set_filter(std::move(filter));
    report({.kind = LoaderEvent::Kind::names_added, .ports = &names});
  }

  void read_appl() {
    if (!options_.loader_name_prefix.empty()) {
      // If the server refuses CLIENT LIST (ACL), start anyway.
      std::ignore = appl_.database->command(
          {"CLIENT", "LIST"}, [this, attempt = start_.attempt()](std::error_code error, const redis::Answer& list) {
            if (!error && attempt == start_.attempt()) look_for_another_loader(list.text);
          });
    }
    look_for(port_config_done,
             read(appl_, [this](bool there) { perform(start_.on_config_done(there, appl_.database->run_id())); }));
    look_for(port_init_done, read(appl_, [this](bool there) { start_.on_init_done(there); }));
    redis::TableReader published(*appl_.database, port_table, options_.appl_db.separator);
    std::ignore = published.names(read(appl_, [this](const ApplWatch::Names& names) {
      published_ = names;
      perform(start_.on_appl(now_));
    }));
  }

  // Looks for a row that is published, or announced to the consumer and not taken yet. A row that is staged but was
  // never announced (PUBLISH was refused) does not count, because the consumer does not know of it.
  void look_for(const char* name, std::function<void(std::error_code error, bool there)> handler) {
    const std::string published = port_table + options_.appl_db.separator + name;
    const auto is_published = std::make_shared<std::pair<std::error_code, bool>>();
    std::ignore = appl_.database->command({"EXISTS", published},
                                          [is_published](std::error_code error, const redis::Answer& answer) {
                                            *is_published = {error, answer.integer > 0};
                                          });
    std::ignore = appl_.database->command(
        {"SISMEMBER", announced, name},
        [is_published, handler = std::move(handler)](std::error_code error, const redis::Answer& answer) {
          if (is_published->first) error = is_published->first;
          handler(error, is_published->second || answer.integer > 0);
        });
  }

  void look_for_another_loader(const std::string& client_list) {
    const std::string other =
        other_loader(client_list, options_.loader_name_prefix, options_.appl_db.connection.client_name);
    if (other.empty()) return start_.on_no_loader();
    perform(start_.on_loader_found(other, now_));
  }

  void read_state() {
    warm_enabled_ = false;
    redis::TableReader enable(*state_.database, "WARM_RESTART_ENABLE_TABLE", options_.state_db.separator);
    for (const char* whose : {"system", "swss"}) {
      std::ignore = enable.read(whose, read(state_, [this](const FieldValues& fields) {
                                  if (has(fields, "enable", "true")) warm_enabled_ = true;
                                }));
    }
    redis::TableReader warm(*state_.database, "WARM_RESTART_TABLE", options_.state_db.separator);
    std::ignore = warm.read(
        "portsyncd", read(state_, [this](const FieldValues& fields) {
          const std::string* count = redis::find_field(fields, "restore_count");
          perform(start_.on_state(warm_enabled_, count == nullptr ? std::nullopt : std::optional(*count), now_));
        }));
  }

  void on_started() {
    const Decision& decision = start_.decision();
    report({.kind = LoaderEvent::Kind::started, .mode = decision.mode, .count = ports_.size()});
    if (decision.set_leftovers_down) leftovers_ = leftovers();
  }

  // Returns the links that swss creates. The filter may match other links too, and those are not touched.
  [[nodiscard]] std::vector<PortGate::Candidate> leftovers() const {
    std::vector<PortGate::Candidate> links = gate_.candidates();
    const auto is_of_others = [this](const PortGate::Candidate& link) {
      return link.name.compare(0, front_panel.size(), front_panel) != 0 &&
             std::none_of(ports_.begin(), ports_.end(), [&link](const auto& port) { return port.name == link.name; });
    };
    links.erase(std::remove_if(links.begin(), links.end(), is_of_others), links.end());
    return links;
  }

  // Sets down one link at a time, in a thread beside the loop, because the kernel may block each request.
  void set_next_down() {
    if (set_down_.running()) return;  // started by an earlier attempt; on_set_down() continues
    if (leftovers_.empty()) return perform(start_.on_all_down());
    if (!options_.set_link_down) {
      keep_leftovers(std::make_error_code(std::errc::operation_not_supported));
      return perform(start_.on_all_down());
    }
    try {
      set_down_.start(
          [set_down = options_.set_link_down, ifindex = leftovers_.back().ifindex] { return set_down(ifindex); });
    } catch (const std::system_error& error) {  // no thread
      keep_leftovers(error.code());
      perform(start_.on_all_down());
    }
  }

  void on_set_down() {
    if (!set_down_.finished()) return;
    const std::error_code error = set_down_.take();
    if (start_.phase() == PortStart::Phase::ended) return;
    const PortGate::Candidate link = leftovers_.back();
    if (error == std::errc::operation_not_permitted) {
      keep_leftovers(error);
    } else {
      leftovers_.pop_back();
      if (!error) {
        gate_.ignore(link.ifindex);
        ++ignored_;
        report({.kind = LoaderEvent::Kind::link_set_down, .ifindex = link.ifindex, .port = link.name});
      } else if (error != std::errc::no_such_device) {
        report({.kind = LoaderEvent::Kind::links_kept, .count = 1, .port = link.name, .error = error});
      }
    }
    if (start_.phase() == PortStart::Phase::setting_down) set_next_down();
  }

  void keep_leftovers(std::error_code error) {
    if (leftovers_.empty()) return;
    report({.kind = LoaderEvent::Kind::links_kept, .count = leftovers_.size(), .error = error});
    leftovers_.clear();
  }

  void write_ports() { std::ignore = staged_.set(ports_, written(appl_)); }

  void write_config_done() {
    std::ignore = staged_.set({{port_config_done, {{"count", std::to_string(ports_.size())}}}}, written(appl_));
  }

  void write_restore_count() {
    redis::TableWriter warm(*state_.database, "WARM_RESTART_TABLE", options_.state_db.separator);
    std::ignore = warm.set("portsyncd", {{"restore_count", *start_.decision().restore_count}}, written(state_));
  }

  void run() {
    forget_what_was_reported();
    if (ignored_ > 0) report({.kind = LoaderEvent::Kind::leftovers_ignored, .count = ignored_});
    const Decision& decision = start_.decision();
    report({.kind = LoaderEvent::Kind::running,
            .mode = decision.mode,
            .count = ports_.size(),
            .text = start_.seen().known()
                        ? ""
                        : "the server does not report its run_id, so a loss of its data cannot be detected"});
    ApplWatch::Started started{
        {}, decision.say_init_done, decision.mode == StartMode::warm, start_.seen(), start_.server_was_restarted()};
    for (const redis::TableRow& row : ports_) started.ports.insert(row.name);
    watch_.begin(std::move(started), now_);
    for (const std::string& name : published_) gate_.admit(name);
    gate_.open();
  }

  // ---- after the start

  // Makes fd() readable. The Synchronizer drives the gate, so the gate's events are handled in our own process().
  void wake() { events_.arm(TimePoint{}); }

  void on_snapshot() override {
    snapshot_arrived_ = true;
    wake();
  }
  void on_waiting(const std::string& name) override {
    watch_.on_waiting(name);
    wake();
  }
  void on_settled(const std::string& name) override { watch_.on_settled(name); }
  void on_port(const std::string& name) override {
    watch_.on_port(name);
    rows_may_be_stored();
  }

  void perform(const ApplWatch::Tasks& tasks) {
    for (const ApplWatch::Task task : tasks) perform(task);
  }

  void perform(ApplWatch::Task task) {
    switch (task) {
      case ApplWatch::Task::check:
        return check_names();
      case ApplWatch::Task::look:
        return look();
      case ApplWatch::Task::look_before_init:
        return look_before_init();
      case ApplWatch::Task::write_init_done:
        return write_init_done();
      case ApplWatch::Task::subscribe:
        std::ignore = subscriber_->start(subscription_);
        return;
      case ApplWatch::Task::unsubscribe:
        return subscriber_->stop();
      case ApplWatch::Task::forget_reports:
        return forget_what_was_reported();
      case ApplWatch::Task::report_resumed:
        return report({.kind = LoaderEvent::Kind::resumed});
      case ApplWatch::Task::report_missing:
        return report_missing();
      case ApplWatch::Task::report_config_gone:
        return report({.kind = LoaderEvent::Kind::config_done_gone});
      case ApplWatch::Task::report_init_done:
        return report({.kind = LoaderEvent::Kind::port_init_done});
      case ApplWatch::Task::count_consumers:
        return count_consumers();
      case ApplWatch::Task::report_deaf:
        return report({.kind = LoaderEvent::Kind::consumers_deaf});
      case ApplWatch::Task::report_heard:
        return report({.kind = LoaderEvent::Kind::consumers_heard});
      case ApplWatch::Task::end_data_lost:
        start_.stop();
        return report({.kind = LoaderEvent::Kind::data_lost});
    }
  }

  // Reports a refusal and returns true. For a lost connection it returns false, because on_closed() reports that.
  bool report_if_refused(const char* verb, std::error_code error) {
    const bool refused = error && appl_.database->open();
    if (refused) report_refused(appl_, verb, error);
    return refused;
  }

  void check_names() {
    const ApplWatch::Names wanted = watch_.take_names();
    const std::vector<std::string> names(wanted.begin(), wanted.end());
    redis::TableReader published(*appl_.database, port_table, options_.appl_db.separator);
    const std::error_code error = published.existing(names, [this](std::error_code failed, const auto& there) {
      if (failed) return perform(watch_.on_check_failed(report_if_refused("read", failed), now_));
      perform(watch_.on_checked(there, now_));
      for (const std::string& name : there) gate_.admit(name);
    });
    if (error) perform(watch_.on_check_failed(false, now_));
  }

  void look() {
    look_for(port_config_done, [this](std::error_code error, bool there) {
      looked_.reset();
      if (!error) looked_ = ApplWatch::Found{there, false};
      if (running()) report_if_refused("read", error);
    });
    look_for(port_init_done, [this](std::error_code error, bool there) {
      if (!running()) return;
      if (looked_) report_if_refused("read", error);  // else the refusal of the first key was reported
      if (error || !looked_) return watch_.on_look_failed(now_);
      looked_->init_done = there;
      perform(watch_.on_looked(*looked_, appl_.database->run_id(), now_));
    });
  }

  void count_consumers() {
    std::ignore = appl_.database->command(
        {"PUBSUB", "NUMSUB", channel_}, [this](std::error_code error, const redis::Answer& answer) {
          if (!running()) return;
          if (error && !appl_.database->open()) return watch_.on_count_lost();
          const bool counted = !error && answer.elements.size() == 2;
          perform(watch_.on_consumers(counted ? static_cast<std::size_t>(answer.elements[1].integer) : 0, now_));
        });
  }

  void look_before_init() {
    look_for(port_config_done, [this](std::error_code error, bool there) {
      if (!running()) return;
      if (error) return watch_.on_init_failed(report_if_refused("read", error), now_);
      perform(watch_.on_looked_before_init(there, rows_are_stored(), now_));
    });
  }

  void write_init_done() {
    std::ignore = staged_.set({{port_init_done, {{"lanes", "0"}}}}, [this](std::error_code error) {
      if (!running()) return;
      if (error) return watch_.on_init_failed(report_if_refused("write", error), now_);
      perform(watch_.on_init_written());
    });
  }

  void report_missing() {
    const std::vector<std::string> names(watch_.missing().begin(), watch_.missing().end());
    report({.kind = LoaderEvent::Kind::ports_missing, .count = ports_.size(), .ports = &names});
  }

  const PortLoaderOptions options_;
  PortGate gate_;
  Database config_;
  Database appl_;
  Database state_;
  redis::ProducerTable staged_;
  const std::string channel_ = "PORT_TABLE_CHANNEL@" + std::to_string(options_.appl_db.connection.database);
  std::unique_ptr<redis::TableSubscriber> subscriber_;
  Subscription subscription_{*this};
  os::EventSet events_;
  Listener listener_;
  TimePoint now_;
  PortStart start_;
  ApplWatch watch_;

  // The contents of the replies so far.
  std::vector<redis::TableRow> ports_;  // the ports of CONFIG_DB
  ApplWatch::Names published_;
  std::optional<ApplWatch::Found> looked_;
  bool dpu_ = false;
  bool warm_enabled_ = false;

  std::vector<PortGate::Candidate> leftovers_;  // the links to set down; the last one is being set down
  std::size_t ignored_ = 0;                     // number of leftovers that were set down
  os::Background<std::error_code> set_down_;
  std::string reported_waiting_;  // the text that was last reported
  std::string reported_refusal_;
  bool snapshot_arrived_ = false;
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<PortLoader> make_port_loader(LinkSource& links, PortLoaderOptions options) {
  return std::make_unique<PortLoaderImpl>(links, std::move(options));
}

}  // namespace portsync::sonic
