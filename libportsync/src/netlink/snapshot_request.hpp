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

// Lists all links once, and then queries single links. A thread sends the queries, sleeps in the kernel if necessary,
// and stores the replies. The caller of read() processes those replies while the thread reads the next ones. The
// destructor never blocks.
class SnapshotRequest {
 public:
  enum class Status : std::uint8_t {
    waiting,      // no replies are available now
    more,         // one datagram was read
    complete,     // all replies have been read
    interrupted,  // all replies of a listing have been read, but some links may be missing (see Replies::Status)
    failed,       // see Replies::Status
  };

  // Opens a socket in the network namespace of the calling thread. Throws std::system_error.
  SnapshotRequest() : query_(std::make_shared<LinkQuery>()) {}

  // Readable when the thread has read replies. Replies that read() has already fetched do not make it readable: see
  // holds_replies().
  [[nodiscard]] int fd() const noexcept { return thread_.fd(); }

  // Starts the listing of all links. Throws std::system_error if no thread can be started.
  void list() { read_ahead(); }
  // Queries these links. Call it only after the listing has ended.
  void ask_about(std::vector<std::int32_t> ifindexes);

  // Calls on_message(const nlmsghdr&) for each message of one datagram. Never blocks. Throws std::system_error, and
  // whatever on_message() throws.
  template <typename F>
  [[nodiscard]] Status read(F&& on_message) {
    if (next_ == replies_.size()) {
      if (const Status status = take_replies(); status != Status::more) return status;
    }
    [[maybe_unused]] const bool well_formed = each_message(replies_[next_++], on_message);  // the thread has checked
    return Status::more;
  }
  // Returns whether read() has a result without the thread: a datagram, or the end.
  [[nodiscard]] bool holds_replies() const noexcept {
    return next_ < replies_.size() || replies_.status != Replies::Status::more;
  }

  // Returns how many datagrams were dropped since the last call because their sender was not the kernel.
  [[nodiscard]] std::size_t take_foreign() noexcept { return std::exchange(foreign_, 0); }

 private:
  [[nodiscard]] Status take_replies();
  void read_ahead();

  std::shared_ptr<LinkQuery> query_;  // only the thread uses it while it reads
  Replies replies_;                   // the replies that read() is processing
  Replies spare_;
  std::size_t next_ = 0;  // index of the next datagram in replies_
  std::size_t foreign_ = 0;
  os::Background<Replies> thread_;
};

}  // namespace portsync::netlink
