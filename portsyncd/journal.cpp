// SPDX-License-Identifier: Apache-2.0
#include "journal.hpp"

#include <endian.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace portsyncd {
namespace {

constexpr int warning_priority = 4;
constexpr int wanted_send_buffer = 1 << 20;  // the kernel's own choice holds some 160 lines

// The form for any value, a line feed in it or not.
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

}  // namespace

bool Journal::available() noexcept {
  return ::access(default_path.data(), W_OK) == 0;
}

Journal::Journal(std::string_view path) noexcept : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  journald_.sun_family = AF_UNIX;
  path.copy(journald_.sun_path, sizeof journald_.sun_path - 1);
  (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &wanted_send_buffer, sizeof wanted_send_buffer);
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

void Journal::send(int priority, std::string_view text, log::Fields fields) {
  if (lost_ > 0 && deliver(make_entry(warning_priority, "journal: lines lost=" + std::to_string(lost_), {}))) lost_ = 0;
  if (lost_ > 0 || !deliver(make_entry(priority, text, fields))) ++lost_;
}

bool Journal::wait_until_read(std::chrono::milliseconds limit) const noexcept {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (int unread = 0; ::ioctl(fd_, SIOCOUTQ, &unread) == 0 && unread > 0;) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// By the address and not connected: a socket that took the place of journald's old one is found by itself.
bool Journal::deliver(const std::string& entry) const noexcept {
  return ::sendto(fd_, entry.data(), entry.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&journald_), sizeof journald_) >= 0;
}

}  // namespace portsyncd
