// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "netlink/route_socket.hpp"

namespace portsync::netlink {

// Some of the kernel's replies to a query about links: datagrams of messages, in the order of their arrival.
class Replies {
 public:
  enum class Status : std::uint8_t {
    more,         // further replies will come
    complete,     // these are the last replies
    interrupted,  // the last replies of a listing during which links came or went (NLM_F_DUMP_INTR): some may be
                  // missing
    failed,       // an error, no reply in time, or a reply that was longer than the memory
  };

  Replies() = default;

  Status status = Status::more;
  std::size_t foreign = 0;  // datagrams that were dropped because their sender was not the kernel

  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::span<std::byte> operator[](std::size_t datagram) const noexcept;

  // Removes all replies and keeps their memory.
  void clear() noexcept;
  // Returns the memory for the next datagram. The longest one fits, unless full(). Throws std::bad_alloc.
  [[nodiscard]] std::span<std::byte> room();
  [[nodiscard]] bool full() const noexcept { return used_ >= enough; }
  void add(std::size_t bytes);

 private:
  // The kernel fills datagrams of up to 32 KiB. A single message may be longer, because the names of a link may take
  // 64 KiB. The memory is mapped: unused pages are never touched, and all of it returns to the system at the end.
  // malloc() would keep it.
  static constexpr std::size_t capacity = 256 * 1024;
  static constexpr std::size_t enough = 96 * 1024;
  struct Unmap {
    void operator()(std::byte* memory) const noexcept;
  };

  std::unique_ptr<std::byte[], Unmap> memory_;
  std::vector<std::size_t> ends_;
  std::size_t used_ = 0;
};

// Queries the kernel about links, on a socket of its own. So the replies neither fill the event socket's buffer nor mix
// with notifications, and closing the socket ends an unfinished listing.
class LinkQuery {
 public:
  // Opens the socket in the network namespace of the calling thread. The first query is about all links. Throws
  // std::system_error.
  LinkQuery() : socket_("a snapshot") {}

  // Makes the next query be about these links. A link that does not exist has no reply.
  void ask_about(std::vector<std::int32_t> ifindexes);

  // Reads the replies that are available, up to the capacity of `replies`. The first call sends the query.
  //
  // Sleeps in the kernel while another process holds the lock of all links (rtnl), which may take seconds: in
  // sendmsg(2), where a listing starts, and in recvmsg(2), where it continues. So only a thread beside the loop calls
  // it.
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
  std::size_t asked_ = 0;  // how many of ifindexes_ have been queried
};

}  // namespace portsync::netlink
