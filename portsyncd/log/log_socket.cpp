// SPDX-License-Identifier: Apache-2.0
#include "log/log_socket.hpp"

#include <endian.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

namespace portsyncd {
namespace {

constexpr int wanted_send_buffer = 1 << 20;  // the kernel's default holds about 160 lines

// Adds a field in the binary form, which allows line feeds in the value.
void add(std::string& entry, std::string_view name, std::string_view value) {
  const std::uint64_t size = htole64(value.size());
  (entry += name) += '\n';
  entry.append(reinterpret_cast<const char*>(&size), sizeof size);
  (entry += value) += '\n';
}

std::string make_entry(int priority, std::string_view text, log::Fields fields) {
  std::string entry;
  entry.reserve(512);
  add(entry, "MESSAGE", text);
  add(entry, "PRIORITY", std::to_string(priority));
  add(entry, "SYSLOG_IDENTIFIER", "portsyncd");
  for (const log::Field& field : fields) {
    entry += "PORTSYNCD_";
    add(entry, field.name, field.value);
  }
  return entry;
}

// Formats the line as syslog(3) does.
std::string make_syslog_line(int priority, std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  std::array<char, 32> time{};
  if (::localtime_r(&now, &local) != nullptr) std::strftime(time.data(), time.size(), "%h %e %T ", &local);
  std::string line = "<" + std::to_string(LOG_DAEMON | priority) + ">" + time.data();
  return (line += "portsyncd[" + std::to_string(::getpid()) + "]: ") += text;
}

}  // namespace

std::string_view LogSocket::place(Protocol protocol) noexcept {
  return protocol == Protocol::journal ? "/run/systemd/journal/socket" : "/dev/log";
}

LogSocket::LogSocket(Protocol protocol, std::string_view path) noexcept
    : protocol_(protocol), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  daemon_.sun_family = AF_UNIX;
  path.copy(daemon_.sun_path, sizeof daemon_.sun_path - 1);
  (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &wanted_send_buffer, sizeof wanted_send_buffer);
}

LogSocket::~LogSocket() {
  if (fd_ >= 0) ::close(fd_);
}

// Connects another socket, because fd_ must stay unconnected to reach a daemon that is started later.
int LogSocket::check() const noexcept {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&daemon_), sizeof daemon_) == 0;
  const int error = connected ? 0 : errno;
  ::close(fd);
  return error;
}

std::string LogSocket::make_line(int priority, std::string_view text, log::Fields fields) const {
  return protocol_ == Protocol::journal ? make_entry(priority, text, fields) : make_syslog_line(priority, text);
}

void LogSocket::send(int priority, std::string_view text, log::Fields fields) {
  const char* name = protocol_ == Protocol::journal ? "journal" : "syslog";
  const auto loss = [&] { return std::string(name) + ": lines lost=" + std::to_string(lost_); };
  if (lost_ > 0 && deliver(make_line(LOG_WARNING, loss(), {}))) lost_ = 0;
  if (lost_ > 0 || !deliver(make_line(priority, text, fields))) ++lost_;
}

bool LogSocket::wait_until_read(std::chrono::milliseconds limit) const noexcept {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (int unread = 0; ::ioctl(fd_, SIOCOUTQ, &unread) == 0 && unread > 0;) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// Sends to the address without a connection, so that a restarted daemon's new socket receives the lines.
bool LogSocket::deliver(const std::string& line) const noexcept {
  return ::sendto(fd_, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&daemon_), sizeof daemon_) >= 0;
}

}  // namespace portsyncd
