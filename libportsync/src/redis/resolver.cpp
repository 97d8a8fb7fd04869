// SPDX-License-Identifier: Apache-2.0
#include "redis/resolver.hpp"

#include <netdb.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "os/descriptor.hpp"

namespace portsync::redis {
namespace {

Resolution get_addresses(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  Resolution resolution;
  if (error != 0) {
    resolution.error = ::gai_strerror(error);
    return resolution;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Address address;
    if (info->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    resolution.addresses.push_back(address);
  }
  return resolution;
}

// A signal meant for the program must not be taken by a thread that it knows nothing of.
class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Resolution look_up(const std::string& host, std::uint16_t port) {
  return get_addresses(host, port, 0);
}

Resolution look_up_numeric(const std::string& host, std::uint16_t port) {
  return get_addresses(host, port, AI_NUMERICHOST);
}

struct Resolver::Shared {
  os::Descriptor event;
  std::mutex mutex;
  bool finished = false;  // the mutex guards this and the next
  Resolution resolution;
};

void Resolver::start(const std::string& host, std::uint16_t port) {
  auto shared = std::make_shared<Shared>();
  shared->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared->event) throw std::system_error(errno, std::system_category(), "eventfd");
  const BlockedSignals blocked;  // inherited by the thread
  std::thread([shared, host, port, lookup = lookup_] {
    Resolution resolution;
    try {
      resolution = lookup(host, port);
    } catch (const std::exception& error) {
      resolution.error = error.what();
    }
    const std::lock_guard lock(shared->mutex);
    shared->resolution = std::move(resolution);
    shared->finished = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(shared->event.get(), &one, sizeof one);
  }).detach();
  shared_ = std::move(shared);
}

int Resolver::fd() const noexcept {
  return shared_ ? shared_->event.get() : -1;
}

bool Resolver::finished() const {
  if (!shared_) return false;
  const std::lock_guard lock(shared_->mutex);
  return shared_->finished;
}

Resolution Resolver::take() {
  const auto shared = std::exchange(shared_, nullptr);
  const std::lock_guard lock(shared->mutex);
  return std::move(shared->resolution);
}

}  // namespace portsync::redis
