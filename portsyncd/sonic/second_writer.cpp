// SPDX-License-Identifier: Apache-2.0
#include "sonic/second_writer.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <portsync/redis/client_list.hpp>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "log/log.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;
using portsync::Verdict;
using portsync::redis::Answer;

constexpr std::chrono::seconds second_look = 1s;
constexpr std::chrono::seconds look_interval = 60s;

}  // namespace

SecondWriter::SecondWriter(EventLoop& loop, portsync::HealthMonitor& monitor, Settings settings)
    : loop_(loop), monitor_(monitor), settings_(std::move(settings)) {
  loop_.after(0ms, [this] { look(); });
  loop_.every(look_interval, [this] { look(); });
}

void SecondWriter::look_again() {
  if (!writer_.empty()) look();
}

// Connects for a check. Does not report an unreachable Redis, because the sink does. If no descriptor is available, the
// next check tries again.
void SecondWriter::look() try {
  watch_.reset();
  auto options = settings_.state_db;
  options.client_name += "-look";
  database_ = portsync::redis::make_database(std::move(options));
  watch_.emplace(loop_, database_->fd(), EPOLLIN, [this](std::uint32_t) { std::ignore = database_->process(); });
  std::ignore = database_->start(*this);
} catch (const std::system_error& error) {
  log::debug(std::string("Cannot look for a second writer: ") + error.what());
}

void SecondWriter::on_open() {
  other_.clear();
  std::ignore = database_->command({"CLIENT", "LIST"}, [this](std::error_code error, const Answer& list) {
    failed_ = static_cast<bool>(error);
    const std::string& prefix = settings_.client_name_prefix;
    for (const auto& [id, name] : portsync::redis::named_clients(list.text)) {
      if (name.starts_with(prefix) && !name.starts_with(settings_.state_db.client_name))
        other_ = "the Redis client " + name;
    }
  });
  const std::string row = "WARM_RESTART_TABLE" + settings_.separator + "portsyncd";
  std::ignore = database_->command({"EXISTS", row}, [this, row](std::error_code error, const Answer& count) {
    close_later();
    const bool refused = error || failed_;
    if (std::exchange(refused_, refused) != refused && refused) {
      log::warning("Cannot look for every program that could write the same rows: " + database_->last_error());
    }
    const bool sonic = settings_.look_for_sonic && count.integer > 0;
    if (other_.empty() && sonic) other_ = "SONiC's own portsyncd (" + row + " of STATE_DB is there)";
    if (!refused || !other_.empty()) found(other_);
  });
}

void SecondWriter::on_closed(std::error_code) {
  close_later();
}

void SecondWriter::found(const std::string& writer) {
  // Redis may list a writer for a moment after it was replaced, so a second check must confirm it.
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

// Closes the connection from the loop, because the connection must not be destroyed in its own callback.
void SecondWriter::close_later() {
  loop_.after(0ms, [this] {
    watch_.reset();
    database_.reset();
  });
}

}  // namespace portsyncd
