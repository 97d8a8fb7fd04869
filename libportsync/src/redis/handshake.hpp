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

// Identifies a connection to its server. The client id alone is not enough, because a restarted server counts from 1
// again.
struct ClientIdentity {
  std::string run_id;
  std::string client_id;

  [[nodiscard]] bool known() const noexcept { return !run_id.empty() && !client_id.empty(); }
};

// The requests on a new connection before it is open. They authenticate, set the client's name and select the database.
// They also kill earlier connections to the same server process that were lost, so that no late write of those can
// follow newer writes. All are sent together, except CLIENT KILL, which needs the replies. Pure: no socket, no clock.
class Handshake {
 public:
  static constexpr std::size_t max_lost = 4;

  enum class State : std::uint8_t { running, done, failed };

  // Adds the requests. Borrows `options` until the handshake ends. `lost` are connections that may still carry writes,
  // at most max_lost, to this server and to others. Only those to this server are killed.
  void start(const ConnectionOptions& options, std::span<const ClientIdentity> lost, CommandBuffer& out);

  // Handles the reply to the next request. May add another request.
  [[nodiscard]] State on_reply(const Reply& reply, CommandBuffer& out);

  // Returns why the handshake failed. The text is for people, and contains nothing of the server's reply to AUTH.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }

  // Valid after done, except for the parts that the server refused to report.
  [[nodiscard]] const ClientIdentity& identity() const noexcept { return identity_; }

  // After done: returns the refused request, and Redis' words, if a lost connection could not be killed ("CLIENT KILL:
  // NOPERM …"). "" = none was lost, or each was killed.
  [[nodiscard]] const std::string& kill_refusal() const noexcept { return kill_refusal_; }

  // Returns whether no reply has arrived yet.
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
  std::size_t count_ = 0;  // number of requests sent
  std::size_t next_ = 0;   // number of replies
  std::string database_;
  std::span<const ClientIdentity> lost_;
  ClientIdentity identity_;
  std::string identity_refusal_;
  std::string kill_refusal_;
  std::error_code error_;
  std::string error_text_;
};

// Returns the value of a line of INFO's reply ("run_id:<value>\r\n"), or "".
[[nodiscard]] std::string_view info_value(std::string_view info, std::string_view name) noexcept;

}  // namespace portsync::redis
