// SPDX-License-Identifier: Apache-2.0
#include "sonic/appl_watch.hpp"

#include <algorithm>
#include <utility>

#include "core/earliest.hpp"

namespace portsync::sonic {
namespace {

constexpr std::chrono::seconds longest_poll_interval{60};

}  // namespace

void ApplWatch::begin(Started started, TimePoint now) {
  server_ = Server::known;
  init_done_ = started.write_init_done ? InitDone::wanted : InitDone::done;
  missing_ = std::move(started.ports);
  warm_ = started.warm;
  seen_ = std::move(started.seen);
  report_missing_at_ = now + timing_.missing_after;
  look_at_ = now + timing_.look_interval;
  if (started.server_was_restarted) doubt_consumers(now);
}

// Stops all requests until APPL_DB is open again; all of them are then sent again.
void ApplWatch::on_closed() {
  server_ = Server::away;
  look_ = Asked::idle;  // the next look resumes in any case
  if (check_ == Asked::asking) check_ = Asked::idle;
  if (check_ == Asked::asking_again) check_ = Asked::refused;
  retry_at_.reset();
  on_count_lost();
}

void ApplWatch::on_count_lost() {
  if (consumers_ != Consumers::listening && !count_at_) count_at_ = TimePoint();
}

void ApplWatch::on_waiting(const std::string& name) {
  waiting_.insert(name);
  to_check_.insert(name);
  poll_interval_ = timing_.poll_interval;
}

void ApplWatch::on_settled(const std::string& name) {
  waiting_.erase(name);
  to_check_.erase(name);
}

void ApplWatch::on_row_event(std::string_view name, std::string_view event) {
  const auto found = waiting_.find(name);
  if (found != waiting_.end() && event != "del") to_check_.insert(*found);
}

bool ApplWatch::may_ask(TimePoint now) const {
  return server_ != Server::away && (!retry_at_ || now >= *retry_at_);
}

ApplWatch::Tasks ApplWatch::on_time(TimePoint now) {
  Tasks tasks;
  if (poll_at_ && now >= *poll_at_) poll(now, tasks);
  if (init_done_ != InitDone::done && now >= report_missing_at_) report_missing(now, tasks);
  if (!may_ask(now)) return tasks;
  retry_at_.reset();
  if (!looking() && (look_ == Asked::refused || server_ == Server::unsure || now >= look_at_)) {
    look_ = look_ == Asked::refused ? Asked::asking_again : Asked::asking;
    look_at_ = now + timing_.look_interval;
    tasks.push_back(Task::look);
  }
  if (server_ == Server::unsure) return tasks;
  if (count_at_ && now >= *count_at_) {
    count_at_.reset();
    tasks.push_back(Task::count_consumers);
  }
  if ((check_ == Asked::idle || check_ == Asked::refused) && !to_check_.empty()) {
    check_ = check_ == Asked::idle ? Asked::asking : Asked::asking_again;
    tasks.push_back(Task::check);
  }
  return tasks;
}

// Checks the waiting names, because keyspace events may be off. Each pause is twice as long as the previous one.
void ApplWatch::poll(TimePoint now, Tasks& tasks) {
  poll_at_.reset();
  to_check_ = waiting_;
  const bool refused = check_ == Asked::refused || check_ == Asked::asking_again;
  if (refused && waiting_.empty()) resume(now, tasks);  // no name is left to check
  poll_interval_ = std::min<std::chrono::milliseconds>(2 * poll_interval_, longest_poll_interval);
  if (waiting_.empty() && std::exchange(subscribed_, false)) tasks.push_back(Task::unsubscribe);
}

ApplWatch::Names ApplWatch::take_names() {
  return std::exchange(to_check_, {});
}

// Subscribes to the table's events if a waiting name is not there yet.
ApplWatch::Tasks ApplWatch::on_checked(const Names& there, TimePoint now) {
  Tasks tasks;
  const bool was_refused = check_ == Asked::asking_again;
  check_ = Asked::idle;
  if (was_refused) resume(now, tasks);
  poll_at_ = now + poll_interval_;
  const auto is_absent = [&there](const std::string& name) { return there.find(name) == there.end(); };
  if (std::any_of(waiting_.begin(), waiting_.end(), is_absent)) subscribe(tasks);
  return tasks;
}

ApplWatch::Tasks ApplWatch::on_check_failed(bool refused, TimePoint now) {
  Tasks tasks;
  if (check_ == Asked::asking_again || refused) {
    check_ = Asked::refused;
  } else {
    check_ = Asked::idle;
  }
  poll_at_ = now + poll_interval_;
  subscribe(tasks);
  return tasks;
}

void ApplWatch::subscribe(Tasks& tasks) {
  if (!std::exchange(subscribed_, true)) tasks.push_back(Task::subscribe);
}

// Decides whether APPL_DB lost its data. It did only if another server process has no PortConfigDone. A pause, or a
// restart with the data, loses nothing. If PortConfigDone is gone from the same process, a swss has started, and the
// watch waits until PortConfigDone is there again.
ApplWatch::Tasks ApplWatch::on_looked(const Found& found, const std::string& run_id, TimePoint now) {
  const bool was_refused = std::exchange(look_, Asked::idle) == Asked::asking_again;
  if (!found.config_done && seen_.is_another(run_id)) return {Task::end_data_lost};
  if (seen_.is_another(run_id)) doubt_consumers(now);
  seen_.note(run_id);
  Tasks tasks;
  const ConfigDone before = std::exchange(config_done_, found.config_done ? ConfigDone::there : ConfigDone::gone);
  if (config_done_ == ConfigDone::gone && before == ConfigDone::there) tasks.push_back(Task::report_config_gone);
  const bool is_back = config_done_ == ConfigDone::there && before == ConfigDone::gone;
  const bool was_known = std::exchange(server_, Server::known) == Server::known;
  if (was_known && !is_back && !was_refused) return tasks;
  to_check_ = waiting_;
  resume(now, tasks);
  if (init_done_ != InitDone::unsure) return tasks;
  init_done_ = found.init_done && !warm_ ? InitDone::done : InitDone::wanted;
  if (init_done_ == InitDone::done) tasks.push_back(Task::report_init_done);
  return tasks;
}

void ApplWatch::doubt_consumers(TimePoint now) {
  if (consumers_ == Consumers::listening) consumers_ = Consumers::doubted;
  count_at_ = now + timing_.poll_interval;
}

ApplWatch::Tasks ApplWatch::on_consumers(std::size_t count, TimePoint now) {
  if (consumers_ == Consumers::listening) return {};
  if (count > 0) {
    count_at_.reset();
    return std::exchange(consumers_, Consumers::listening) == Consumers::deaf ? Tasks{Task::report_heard} : Tasks{};
  }
  count_at_ = now + timing_.poll_interval;
  if (std::exchange(consumers_, Consumers::deaf) == Consumers::deaf && now < report_deaf_at_) return {};
  report_deaf_at_ = now + timing_.missing_interval;
  return {Task::report_deaf};
}

// Retries the look after a pause, because the error may pass (LOADING, for example).
void ApplWatch::on_look_failed(TimePoint now) {
  look_ = Asked::refused;
  retry_at_ = now + timing_.poll_interval;
}

// Reports that APPL_DB works again. Then reports the missing ports again, because forget_reports covers those too.
void ApplWatch::resume(TimePoint now, Tasks& tasks) {
  if (check_ == Asked::refused) check_ = Asked::idle;
  if (check_ == Asked::asking_again) check_ = Asked::asking;
  tasks.push_back(Task::forget_reports);
  if (config_done_ == ConfigDone::gone) return;
  tasks.push_back(Task::report_resumed);
  if (init_done_ != InitDone::done && missing_reported_) report_missing(now, tasks);
}

void ApplWatch::report_missing(TimePoint now, Tasks& tasks) {
  report_missing_at_ = now + timing_.missing_interval;
  if (missing_.empty() || config_done_ == ConfigDone::gone) return;
  missing_reported_ = true;
  tasks.push_back(Task::report_missing);
}

// A link that waits may be a port's, and then PortInitDone needs its row.
bool ApplWatch::wants_rows() const {
  const bool is_due = init_done_ == InitDone::wanted || init_done_ == InitDone::unsure;
  return is_due && missing_.empty() && !checks() && config_done_ == ConfigDone::there;
}

// Looks for PortConfigDone before it writes PortInitDone, because a restarted swss that has not received the ports must
// not get one.
ApplWatch::Tasks ApplWatch::on_rows_stored(TimePoint now) {
  if (!wants_rows() || server_ != Server::known || !may_ask(now)) return {};
  init_done_ = InitDone::asking;
  return {Task::look_before_init};
}

ApplWatch::Tasks ApplWatch::on_looked_before_init(bool config_done, bool rows_stored, TimePoint now) {
  if (!config_done) {
    init_done_ = InitDone::wanted;
    look_at_ = now;  // PortConfigDone is gone: the next look reports that
    return {};
  }
  if (!rows_stored || checks()) {
    init_done_ = InitDone::wanted;
    return {};
  }
  init_done_ = InitDone::writing;
  return {Task::write_init_done};
}

ApplWatch::Tasks ApplWatch::on_init_written() {
  init_done_ = InitDone::done;
  return {Task::forget_reports, Task::report_init_done};
}

void ApplWatch::on_init_failed(bool refused, TimePoint now) {
  init_done_ = init_done_ == InitDone::writing ? InitDone::unsure : InitDone::wanted;
  if (refused) retry_at_ = now + timing_.poll_interval;
}

std::optional<TimePoint> ApplWatch::deadline() const {
  std::optional<TimePoint> first = core::earliest(poll_at_, retry_at_);
  if (init_done_ != InitDone::done) first = core::earliest(first, report_missing_at_);
  if (server_ == Server::known && !retry_at_) first = core::earliest(first, count_at_);
  const bool looks = server_ != Server::away && !looking() && !retry_at_;
  return looks ? core::earliest(first, look_at_) : first;
}

}  // namespace portsync::sonic
