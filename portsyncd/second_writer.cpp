// SPDX-License-Identifier: Apache-2.0
#include "second_writer.hpp"

#include <chrono>
#include <portsync/redis/client_list.hpp>
#include <tuple>
#include <utility>

#include "log.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;
using portsync::Verdict;
using portsync::redis::Answer;

constexpr std::chrono::seconds second_look = 1s;
constexpr std::chrono::seconds look_interval = 60s;

// A connection of its own, which no PING wakes up: a look would notice that it is dead.
portsync::redis::ConnectionOptions look_options(portsync::redis::ConnectionOptions options) {
  options.client_name += "-look";
  options.probe_interval = 0ms;
  return options;
}

}  // namespace

SecondWriter::SecondWriter(EventLoop& loop, portsync::HealthMonitor& monitor, Settings settings)
    : loop_(loop),
      monitor_(monitor),
      settings_(std::move(settings)),
      database_(portsync::redis::make_database(look_options(settings_.state_db))) {
  // It never fails for good, and the second start is nobody's.
  loop_.on_readable(database_->fd(), [this] { std::ignore = database_->process(); });
  std::ignore = database_->start(*this);
  loop_.every(look_interval, [this] { look(); });
}

// Redis that is away is the sink's to tell.
void SecondWriter::look() {
  std::ignore = database_->command({"CLIENT", "LIST"}, [this](std::error_code error, const Answer& list) {
    failed_ = static_cast<bool>(error);
    other_.clear();
    for (const auto& [id, name] : portsync::redis::named_clients(list.text)) {
      const bool is_own = name.starts_with(settings_.state_db.client_name);
      if (name.starts_with(settings_.client_name_prefix) && !is_own) other_ = "the Redis client " + name;
    }
  });
  const std::string row = "WARM_RESTART_TABLE" + settings_.separator + "portsyncd";
  std::ignore = database_->command({"EXISTS", row}, [this, row](std::error_code error, const Answer& count) {
    if (error || failed_) return log::debug("Cannot look for a second writer: " + database_->last_error());
    const bool sonic = settings_.look_for_sonic && count.integer > 0;
    if (other_.empty() && sonic) other_ = "SONiC's own portsyncd (" + row + " of STATE_DB is there)";
    found(other_);
  });
}

void SecondWriter::found(const std::string& writer) {
  // One that has just been replaced may be listed for a moment.
  const bool suspected = std::exchange(suspect_, writer) == writer;
  if (!writer.empty() && writer != writer_ && !suspected) return loop_.after(second_look, [this] { look(); });
  if (std::exchange(writer_, writer) == writer) return;
  if (writer.empty()) {
    log::info("No other portsyncd writes the same rows any more");
    return monitor_.set_condition("second writer", {Verdict::healthy, ""});
  }
  const std::string text = "a second writer of the same rows: " + writer;
  log::warning("There is " + text + "; stop one of the two");
  monitor_.set_condition("second writer", {Verdict::degraded, text});
}

}  // namespace portsyncd
