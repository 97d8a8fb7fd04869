// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <portsync/redis/connection_options.hpp>
#include <span>
#include <string>
#include <system_error>

#include "redis/resp.hpp"

namespace portsync::redis {

// One connection, as its server knows it. The id alone is not enough: a restarted server counts from 1 again.
struct ClientIdentity {
  std::string run_id;
  std::string client_id;

  [[nodiscard]] bool known() const noexcept { return !run_id.empty() && !client_id.empty(); }
};

// What is said on a new connection before it is open: who we are, which database; and, when earlier connections to
// the same server process were lost, that they are to be killed, so that nothing they still carry can land after newer
// writes. Sent in one go, but for the CLIENT KILL, which needs the answers. Pure: no socket, no clock.
class Handshake {
 public:
  static constexpr std::size_t max_lost = 4;

  enum class State : std::uint8_t { running, done, failed };

  // Adds the requests. `options` is borrowed until the end; `lost` are connections that may still carry writes, also to
  // other servers, at most max_lost: those to this one are killed.
  void start(const ConnectionOptions& options, std::span<const ClientIdentity> lost, CommandBuffer& out);

  // The answer to the next request; may add another request.
  [[nodiscard]] State on_reply(const Reply& reply, CommandBuffer& out);

  // Why it failed, in words for people: nothing of what the server said to AUTH is in them.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }

  // Known after done, as far as the server let us ask.
  [[nodiscard]] const ClientIdentity& identity() const noexcept { return identity_; }

  // After done: which request Redis refused, and in which words, so that a lost connection could not be killed ("CLIENT
  // KILL: NOPERM …"); "" = none was lost, or each was killed.
  [[nodiscard]] const std::string& kill_refusal() const noexcept { return kill_refusal_; }

  // No request has been answered yet.
  [[nodiscard]] bool unanswered() const noexcept { return next_ == 0; }

 private:
  enum class Step : std::uint8_t { auth, select, set_name, client_id, info, kill };

  void add(Step step) { steps_[count_++] = step; }
  State on_error(Step step, std::string_view text, CommandBuffer& out);
  void on_refused(Step step, std::string_view text);
  void kill_lost(CommandBuffer& out);
  State on_answer(Step step, const Reply& reply, CommandBuffer& out);
  State after(CommandBuffer& out);
  State fail(Errc code, std::string text);

  std::array<Step, 5 + max_lost> steps_{};
  std::size_t count_ = 0;  // requests sent
  std::size_t next_ = 0;   // answered
  std::string database_;
  std::span<const ClientIdentity> lost_;
  ClientIdentity identity_;
  std::string identity_refusal_;
  std::string kill_refusal_;
  std::error_code error_;
  std::string error_text_;
};

// The value of a line of INFO's answer ("run_id:<value>\r\n"), or "".
[[nodiscard]] std::string_view info_value(std::string_view info, std::string_view name) noexcept;

}  // namespace portsync::redis
