// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <portsync/pollable.hpp>
#include <portsync/redis/connection_options.hpp>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "os/descriptor.hpp"
#include "os/event_set.hpp"
#include "redis/handshake.hpp"
#include "redis/resolver.hpp"
#include "redis/resp.hpp"

namespace portsync::redis {

struct ConnectionStatistics {
  std::uint64_t commands = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t opens = 0;
  std::uint64_t timeouts = 0;
  std::chrono::microseconds round_trip{0};  // of the latest PING, or what the user set
  std::string last_error;
};

// A pipelined connection to Redis that connects again for ever, behind one descriptor that never changes. Never blocks.
//
// Pulled, not pushing: its owner makes a Turn whenever fd() is readable, takes events from it one by one, and calls its
// own observers between them. So no callback ever runs under hiredis or inside this class, and one that throws loses
// nothing: what it left over is there at the next Turn.
//
// What is sent may have been executed even when no answer came. A connection that is given up is reset (SO_LINGER 0)
// and, by its client id, killed from the next one before that is open: see Handshake. Where Redis refuses that, the
// connection opens all the same, late_writes() says so, and the probe tries again.
//
// A server that closes a connection on which nothing was on its way, twice, is asked for a sign of life more often.
class Connection {
 public:
  //   opened  commands() may be used
  //   reply   reply() is the answer to the oldest command that has none yet
  //   message reply() is a message of a channel: see expect_messages()
  //   closed  no longer open, or an attempt to open has failed: error(). Commands without an answer will get none.
  //           Errc::idle: there were none, and it is opened again at once
  enum class Event : std::uint8_t { none, opened, reply, message, closed };

  // Throws std::system_error, std::invalid_argument.
  explicit Connection(ConnectionOptions options, Lookup lookup = look_up);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int fd() const noexcept { return events_.fd(); }
  // From start() on it connects.
  void start() noexcept;
  // Ends that, and the connection; what has not been told never is. start() begins anew.
  void stop() noexcept;
  // For an owner that subscribes: messages come between the answers, one of which each (P)SUBSCRIBE to one name has. To
  // be called before start().
  void expect_messages() noexcept { messages_ = true; }

  [[nodiscard]] bool open() const noexcept { return state_ == State::open; }
  // While open: add requests here; they leave with the next send(), or at the end of the Turn. The owner bounds how
  // much it adds without having been answered.
  [[nodiscard]] CommandBuffer& commands() noexcept { return out_; }
  void send() noexcept;
  // While open: gives the connection up, which is told as closed. `text` is for people.
  void close(std::error_code error, std::string_view text);
  // Makes fd() readable at once.
  void wake() noexcept { events_.arm(TimePoint{}); }

  // Valid until the next Turn::next(), also over close().
  [[nodiscard]] Reply reply() const noexcept { return Reply(*reply_); }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  // The same for people, in the server's own words where it said why.
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }
  // Why writes of a lost connection may still land, for people; "" = none may.
  [[nodiscard]] const std::string& late_writes() const noexcept { return late_writes_; }
  // Of the connection that is, or was last, open; being connected changes it.
  [[nodiscard]] const ClientIdentity& identity() const noexcept { return handshake_.identity(); }

  [[nodiscard]] const ConnectionStatistics& statistics() const noexcept { return statistics_; }
  // Remembers a text for statistics().last_error, unless it holds the password.
  void note_error(std::error_code error, std::string_view text);
  // What may be shown of a text: see printable(); the message of `error` when the password is in it.
  [[nodiscard]] std::string shown(std::error_code error, std::string_view text) const;
  void note_round_trip(std::chrono::microseconds time) noexcept { statistics_.round_trip = time; }

  // One bounded round of work.
  class Turn {
   public:
    explicit Turn(Connection& connection);
    // Sends, and sees to it that fd() becomes readable when there is more to do.
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Ask before each unit of work, next() or an observer's call: false when it is enough for now.
    [[nodiscard]] bool more() noexcept;
    [[nodiscard]] Event next();

   private:
    Connection& connection_;
    std::size_t units_ = 0;
    bool drained_ = false;
  };

 private:
  // connected: connecting has ended, well or not.
  enum class State : std::uint8_t { idle, waiting, resolving, next_address, connecting, connected, handshake, open };
  // Requests sent together that have `count` answers to come.
  struct Unanswered {
    bool probe = false;
    std::size_t count = 0;
    TimePoint since;
  };

  void look_at_events();
  void poll();
  void finish_turn(bool drained) noexcept;
  Event next();
  Event advance();

  void begin_attempt();
  void take_addresses(Resolution resolution);
  void connect_next();
  void finish_connecting();
  void begin_handshake();
  Event on_reply();
  Event on_handshake_reply();
  Event on_probe_reply();
  bool refuses_for_too_long(const Reply& reply);
  [[nodiscard]] std::vector<ClientIdentity>::iterator unkilled();
  void settle_lost();

  void receive();
  Event idle();
  void probe_if_quiet();
  void note_idle_close();
  void count_new_commands(bool probe);
  void write();
  void watch_writable(bool on);
  void fail(std::error_code error, std::string_view text);
  void fail_timeout(const char* what);
  void drop_socket() noexcept;
  [[nodiscard]] bool nothing_on_its_way() const noexcept;
  [[nodiscard]] bool may_want_tls(std::error_code error, std::string_view text) const;
  [[nodiscard]] std::optional<TimePoint> answer_deadline() const noexcept;
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;
  [[nodiscard]] std::chrono::milliseconds retry_pause();
  [[nodiscard]] std::string endpoint() const;

  ConnectionOptions options_;  // as given, but for the password
  os::EventSet events_;
  Resolver resolver_;
  State state_ = State::idle;
  bool messages_ = false;  // are expected
  TimePoint now_;

  std::vector<Address> addresses_;
  std::size_t address_ = 0;  // the one after that which is tried
  os::Descriptor socket_;
  bool readable_ = false;  // as far as is known
  bool looked_ = false;    // this Turn has asked what waits
  bool writable_watched_ = false;
  std::size_t received_ = 0;     // bytes, in this Turn
  std::error_code write_error_;  // told only after what can still be read was read: it may say why

  CommandBuffer out_;
  std::size_t sent_ = 0;     // bytes of out_
  std::size_t counted_ = 0;  // commands of out_ that are in unanswered_
  std::deque<Unanswered> unanswered_;
  ReplyReader reader_;
  ReplyPtr reply_;
  Handshake handshake_;
  // Given up while open with something on its way, and not known to be killed; the oldest first, some of other servers.
  std::vector<ClientIdentity> lost_;
  std::string late_writes_;

  TimePoint attempt_deadline_;
  TimePoint retry_at_;
  TimePoint opened_at_;
  TimePoint last_traffic_;
  TimePoint answered_at_;                    // the latest complete answer
  std::optional<TimePoint> refusing_since_;  // nothing but refusals of a kind: refuses_all()
  std::chrono::milliseconds probe_interval_;
  std::optional<std::chrono::milliseconds> idle_limit_;  // after which the server closed the connection the last time
  bool closed_ = false;                                  // to be told
  std::error_code error_;
  std::string error_text_;
  std::minstd_rand jitter_;
  ConnectionStatistics statistics_;
};

}  // namespace portsync::redis
