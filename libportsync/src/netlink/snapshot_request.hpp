// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "netlink/decode.hpp"
#include "netlink/link_query.hpp"
#include "os/background.hpp"

namespace portsync::netlink {

// One listing of all links, and questions about single ones after it. A thread asks, sleeps in the kernel when it has
// to, and fills memory; replies are looked at by whoever calls read(), while the thread reads on. Destroying the object
// waits for nothing.
class SnapshotRequest {
 public:
  enum class Status : std::uint8_t {
    waiting,      // nothing is here now
    more,         // read one datagram
    complete,     // all has been read
    interrupted,  // all of a listing has been read that may lack some (see Replies::Status)
    failed,       // see Replies::Status
  };

  // In the network namespace that the calling thread is in. Throws std::system_error.
  SnapshotRequest() : query_(std::make_shared<LinkQuery>()) {}

  // Readable when the thread has read something. What is here already does not make it readable: see holds_replies().
  [[nodiscard]] int fd() const noexcept { return thread_.fd(); }

  // Asks for all links. Throws std::system_error (no thread).
  void list() { read_ahead(); }
  // Once the listing has ended: asks about these.
  void ask_about(std::vector<std::int32_t> ifindexes);

  // Gives each message of one datagram to on_message(const nlmsghdr&). Never waits. May throw std::system_error and
  // what on_message() throws.
  template <typename F>
  [[nodiscard]] Status read(F&& on_message) {
    if (next_ == replies_.size()) {
      if (const Status status = take_replies(); status != Status::more) return status;
    }
    [[maybe_unused]] const bool well_formed = each_message(replies_[next_++], on_message);  // the thread has looked
    return Status::more;
  }
  [[nodiscard]] bool holds_replies() const noexcept { return next_ < replies_.size(); }

  // Datagrams that were dropped, since their sender was not the kernel; counts from the last call on.
  [[nodiscard]] std::size_t take_foreign() noexcept { return std::exchange(foreign_, 0); }

 private:
  [[nodiscard]] Status take_replies();
  void read_ahead();

  std::shared_ptr<LinkQuery> query_;  // the thread's while it reads
  Replies replies_;                   // being looked at
  Replies spare_;
  std::size_t next_ = 0;  // datagram of replies_
  std::size_t foreign_ = 0;
  os::Background<Replies> thread_;
};

}  // namespace portsync::netlink
