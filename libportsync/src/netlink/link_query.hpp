// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "netlink/route_socket.hpp"

namespace portsync::netlink {

// Some of the kernel's answers to a question about links, as they came: datagrams of messages.
class Replies {
 public:
  enum class Status : std::uint8_t {
    more,         // there are others
    complete,     // these are the last ones
    interrupted,  // the last ones of a listing during which links came or went (NLM_F_DUMP_INTR): some may be missing
    failed,       // an error, no answer in time, or one that was longer than the memory
  };

  Replies() = default;

  Status status = Status::more;
  std::size_t foreign = 0;  // datagrams dropped, since their sender was not the kernel

  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::span<std::byte> operator[](std::size_t datagram) const noexcept;

  // Forgets them, and keeps their memory.
  void clear() noexcept;
  // Where the next datagram goes. Room for the longest one, unless full(). Throws std::bad_alloc.
  [[nodiscard]] std::span<std::byte> room();
  [[nodiscard]] bool full() const noexcept { return used_ >= enough; }
  void add(std::size_t bytes);

 private:
  // The kernel fills datagrams of up to 32 KiB; one message alone may be longer, for the names of a link may take 64
  // KiB. Memory that is not used is never touched, and all of it goes back to the system: malloc() would keep it.
  static constexpr std::size_t capacity = 256 * 1024;
  static constexpr std::size_t enough = 96 * 1024;
  struct Unmap {
    void operator()(std::byte* memory) const noexcept;
  };

  std::unique_ptr<std::byte[], Unmap> memory_;
  std::vector<std::size_t> ends_;
  std::size_t used_ = 0;
};

// A question to the kernel about links, on a socket of its own: replies neither fill the event socket's buffer nor mix
// with notifications, and closing the socket ends a listing wherever it is.
class LinkQuery {
 public:
  // Opens the socket, in the network namespace that the calling thread is in. The question is about all links. Throws
  // std::system_error.
  LinkQuery() : socket_("a snapshot") {}

  // The next question is about these. One that does not exist has no reply.
  void ask_about(std::vector<std::int32_t> ifindexes);

  // Reads as many replies as there are and `replies` takes; the first call asks.
  //
  // Sleeps in the kernel for as long as somebody else holds the lock of all links (rtnl), which may be seconds: in
  // sendmsg(2), where a listing starts, and in recvmsg(2), where it goes on. So it is called by a thread beside the
  // loop.
  void read(Replies& replies) noexcept;

 private:
  enum class Stage : std::uint8_t { not_asked, listing, asking };

  void list(Replies& replies);
  void ask(Replies& replies);
  [[nodiscard]] bool send(int flags, std::int32_t ifindex);
  void read_one(Replies& replies);
  [[nodiscard]] Replies::Status inspect(std::span<std::byte> datagram);

  RouteSocket socket_;
  Stage stage_ = Stage::not_asked;
  bool interrupted_ = false;
  std::uint32_t sequence_ = 0;
  std::vector<std::int32_t> ifindexes_;
  std::size_t asked_ = 0;  // how many of them
};

}  // namespace portsync::netlink
