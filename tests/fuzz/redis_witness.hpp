// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <portsync/port_record.hpp>
#include <portsync/state_sink.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/resp.hpp"

namespace portsync::fuzz {

// Each row of a fuzz target has its own port, so that a command shows which revision it belongs to.
inline std::string port_of(Revision revision) {
  return "Ethernet" + std::to_string(revision);
}

inline PortRecord record_of(Revision revision, bool mtu = true, bool index = true) {
  PortRecord record{port_of(revision), {{"state", "ok"}, {"netdev_oper_status", "up"}, {"admin_status", "up"}}};
  if (mtu) record.fields.push_back({"mtu", "9100"});
  if (index) record.fields.push_back({"@index", "up"});
  return record;
}

// Observes a server. Matches the n-th reply to the n-th command, and so knows which rows were stored and whether the
// connection may be used. Shares nothing with redis/answers but the RESP reader.
class Witness {
 public:
  using Command = std::vector<std::string>;

  void on_command(Command command) {
    if (const Revision revision = revision_of(command)) ++rows_[revision].sent;
    commands_.push_back(std::move(command));
  }

  void on_answer(const redis::Reply& answer) {
    if (commands_.empty()) return;
    const Command command = std::move(commands_.front());
    commands_.pop_front();
    if (command[0] == "AUTH" || command[0] == "SELECT") {
      if (!is_status(answer, "OK")) welcome_ = false;
    } else if (command[0] == "MULTI") {
      in_multi_ = !answer.is_error();
      queued_.clear();
    } else if (command[0] == "EXEC") {
      if (in_multi_ && answer.size() == queued_.size()) {
        for (std::size_t i = 0; i < queued_.size(); ++i) on_executed(queued_[i], answer[i]);
      }
      in_multi_ = false;
    } else if (in_multi_) {
      if (is_status(answer, "QUEUED")) queued_.push_back(command);
    } else {
      on_executed(command, answer);
    }
  }

  [[nodiscard]] std::size_t unanswered() const noexcept { return commands_.size(); }
  // Returns the oldest command without a reply.
  [[nodiscard]] const Command& next() const noexcept { return commands_.front(); }
  [[nodiscard]] bool in_multi() const noexcept { return in_multi_; }
  [[nodiscard]] std::size_t queued() const noexcept { return queued_.size(); }

  // Returns true if every command of the row got the reply of a command that was executed.
  [[nodiscard]] bool stored(Revision revision) const {
    const auto row = rows_.find(revision);
    return row == rows_.end() || row->second.sent == row->second.executed;
  }
  // Returns true if the password and the database were accepted.
  [[nodiscard]] bool welcome() const noexcept { return welcome_; }

 private:
  struct Row {
    std::size_t sent = 0;
    std::size_t executed = 0;
  };

  static bool is_status(const redis::Reply& answer, std::string_view text) {
    return answer.is(redis::Reply::Type::status) && answer.text() == text;
  }

  // Returns 0 if the command belongs to no row.
  static Revision revision_of(const Command& command) {
    constexpr std::string_view key = "PORT_TABLE|Ethernet";
    const bool writes = command[0] == "HSET" || command[0] == "HDEL" || command[0] == "DEL";
    if (!writes || command.size() < 2 || !command[1].starts_with(key)) return 0;
    return std::stoull(command[1].substr(key.size()));
  }

  void on_executed(const Command& command, const redis::Reply& answer) {
    const Revision revision = revision_of(command);
    if (revision == 0) return;
    // Our removal met a key that is no hash, so the key contains nothing of ours.
    const bool nothing_there =
        removals.contains(revision) && answer.is_error() && answer.text().starts_with("WRONGTYPE");
    if (answer.is(redis::Reply::Type::integer) || nothing_there) ++rows_[revision].executed;
  }

  std::deque<Command> commands_;
  std::vector<Command> queued_;
  std::map<Revision, Row> rows_;
  bool in_multi_ = false;
  bool welcome_ = true;

 public:
  std::map<Revision, bool> removals;
};

// Returns the words of a request, which is an array of strings, as a reply may be.
inline Witness::Command words_of(const redis::Reply& request) {
  Witness::Command words;
  for (std::size_t i = 0; i < request.size(); ++i) words.emplace_back(request[i].text());
  return words;
}

}  // namespace portsync::fuzz
