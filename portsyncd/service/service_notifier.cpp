// SPDX-License-Identifier: Apache-2.0
#include "service/service_notifier.hpp"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "os/system.hpp"

namespace portsyncd {
namespace {

constexpr std::chrono::seconds ready_limit{15};

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

// Returns the watchdog's timeout, if it is for this process. WATCHDOG_PID, if set, names the process
// (sd_watchdog_enabled(3)).
std::optional<std::chrono::microseconds> read_watchdog_timeout() {
  const auto timeout = number(os::getenv("WATCHDOG_USEC"));
  const std::string_view pid = os::getenv("WATCHDOG_PID");
  if (!timeout || (!pid.empty() && number(pid) != os::process_id())) return std::nullopt;
  return std::chrono::microseconds(*timeout);
}

}  // namespace

ServiceNotifier::ServiceNotifier() : watchdog_timeout_(read_watchdog_timeout()) {
  const std::string_view path = os::getenv("NOTIFY_SOCKET");
  if (path.size() < 2 || path.size() >= sizeof(sockaddr_un::sun_path) || (path[0] != '/' && path[0] != '@')) return;
  path_ = path;
  if (path_[0] == '@') path_[0] = '\0';
}

std::chrono::milliseconds ServiceNotifier::time_until_ready() noexcept {
  const auto passed = os::now() - os::process_start();
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(ready_limit - passed),
                  std::chrono::milliseconds(0));
}

ServiceNotifier::~ServiceNotifier() {
  if (fd_ >= 0) os::close(fd_);
}

void ServiceNotifier::ready(const std::string& status) {
  ready_ = true;
  status_ = status;
  flush();
}

void ServiceNotifier::status(const std::string& status) {
  status_ = status;
  flush();
}

// Sends the time, too, because systemd uses it to match a READY=1 to this RELOADING=1 (sd_notify(3)). If the message
// cannot be sent now, it is dropped, because sent later it would be wrong.
void ServiceNotifier::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(os::now().time_since_epoch());
  (void)send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void ServiceNotifier::stopping() {
  stopping_ = true;
  flush();
}

void ServiceNotifier::ping_watchdog() {
  (void)send("WATCHDOG=1");
}

void ServiceNotifier::flush() {
  std::string message;
  if (ready_) message += "READY=1\n";
  if (stopping_) message += "STOPPING=1\n";
  if (!status_.empty()) message += "STATUS=" + status_ + "\n";
  if (message.empty()) return;
  message.pop_back();
  unsent_ = !send(message);
  if (unsent_) return;
  ready_ = stopping_ = false;
  status_.clear();
}

// Returns false if a later attempt may succeed. Opens the socket with the first message that finds a descriptor,
// because systemd kills a daemon that it never hears of.
bool ServiceNotifier::send(const std::string& message) {
  if (path_.empty()) return true;
  if (fd_ < 0) fd_ = os::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd_ < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  const ssize_t sent =
      os::sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

}  // namespace portsyncd
