// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"

namespace portsyncctl {
namespace {

constexpr auto advice = ": is it running? systemctl status portsyncd";

std::string message(int error) {
  return std::system_category().message(error);
}

[[noreturn]] void fail(int error, const std::string& path) {
  if (error == EACCES) throw Error(exit_denied, "may not connect to " + path + " (" + message(error) + ")");
  throw Error(exit_not_there, "portsyncd does not answer at " + path + " (" + message(error) + ")" + advice);
}

[[noreturn]] void fail_late(const std::string& path) {
  throw Error(exit_not_there, "portsyncd at " + path + " has not answered within " +
                                  std::to_string(DaemonSocket::limit.count()) +
                                  " s: is it stuck? systemctl status portsyncd");
}

}  // namespace

DaemonSocket::DaemonSocket(std::string path)
    : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) fail(errno, path_);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int error = path_.size() < sizeof address.sun_path ? 0 : ENAMETOOLONG;
  if (error == 0) {
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    // Without the timeout, connect() would wait for a daemon that is stuck and whose queue is full.
    const timeval patience{limit.count(), 0};
    (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) error = errno;
  }
  if (error == 0) return;
  ::close(fd_);
  if (error == EAGAIN) fail_late(path_);
  fail(error, path_);
}

DaemonSocket::~DaemonSocket() {
  ::close(fd_);
}

void DaemonSocket::send(const std::string& line) {
  const ssize_t sent = ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL);
  if (sent >= 0 || errno == EPIPE || errno == ECONNRESET) return;  // its reply may say why it closed the connection
  if (errno == EAGAIN) fail_late(path_);
  fail(errno, path_);
}

std::optional<std::string> DaemonSocket::take_line() {
  const std::size_t end = input_.find('\n', searched_);
  searched_ = end == std::string::npos ? input_.size() : 0;
  if (end == std::string::npos) return std::nullopt;
  std::string line = input_.substr(0, end);
  input_.erase(0, end + 1);
  return line;
}

void DaemonSocket::read() {
  std::array<char, 65536> bytes{};
  const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
  if (size > 0) input_.append(bytes.data(), static_cast<std::size_t>(size));
  if (size == 0) throw Error(exit_not_there, "portsyncd has closed the connection");
  if (size < 0 && errno != EINTR) {
    throw Error(exit_not_there, "portsyncd has closed the connection (" + message(errno) + ")");
  }
}

std::string DaemonSocket::answer() {
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (auto line = take_line()) return *line;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0) fail_late(path_);
    if (waiting.revents != 0) read();
  }
}

std::optional<std::string> DaemonSocket::event() {
  for (;;) {
    if (auto line = take_line()) return line;
    std::array<pollfd, 2> waiting{pollfd{fd_, POLLIN, 0}, pollfd{STDOUT_FILENO, 0, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
    if ((waiting[1].revents & POLLERR) != 0) return std::nullopt;
    if (waiting[0].revents != 0) read();
  }
}

}  // namespace portsyncctl
