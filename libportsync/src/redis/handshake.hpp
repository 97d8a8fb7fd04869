// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <portsync/redis/connection_options.hpp>
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

// What is said on a new connection before it is open: who we are, which database; and, when an earlier connection to
// the same server process was lost, that it is to be killed, so that nothing it still carries can land after newer
// writes. Sent in one go, but for the CLIENT KILL, which needs the answers. Pure: no socket, no clock.
class Handshake {
 public:
  enum class State : std::uint8_t { running, done, failed };

  // Adds the requests. `options` is borrowed until the end; `lost` is the connection to kill, if it is known.
  void start(const ConnectionOptions& options, const ClientIdentity& lost, CommandBuffer& out);

  // The answer to the next request; may add another request.
  [[nodiscard]] State on_reply(const Reply& reply, CommandBuffer& out);

  // Why it failed, in words for people: nothing of what the server said to AUTH is in them.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }

  // Known after done, as far as the server let us ask.
  [[nodiscard]] const ClientIdentity& identity() const noexcept { return identity_; }

 private:
  enum class Step : std::uint8_t { auth, select, set_name, client_id, info, kill };

  void add(Step step) { steps_[count_++] = step; }
  State on_error(Step step, std::string_view text, CommandBuffer& out);
  State on_answer(Step step, const Reply& reply, CommandBuffer& out);
  State after(CommandBuffer& out);
  State fail(Errc code, std::string text);

  std::array<Step, 6> steps_{};
  std::size_t count_ = 0;  // requests sent
  std::size_t next_ = 0;   // answered
  ClientIdentity lost_;
  ClientIdentity identity_;
  std::error_code error_;
  std::string error_text_;
};

// The value of a line of INFO's answer ("run_id:<value>\r\n"), or "".
[[nodiscard]] std::string_view info_value(std::string_view info, std::string_view name) noexcept;

}  // namespace portsync::redis
