// SPDX-License-Identifier: Apache-2.0
#include "redis/handshake.hpp"

#include "redis/error_reply.hpp"

namespace portsync::redis {

void Handshake::start(const ConnectionOptions& options, std::span<const ClientIdentity> lost, CommandBuffer& out) {
  *this = Handshake();
  lost_ = lost;
  if (!options.username.empty()) {
    out.add({"AUTH", options.username, options.password});
    add(Step::auth);
  } else if (!options.password.empty()) {
    out.add({"AUTH", options.password});
    add(Step::auth);
  }
  // Sent for database 0 too, because it is the first request that a server with a password refuses.
  database_ = std::to_string(options.database);
  out.add({"SELECT", database_});
  add(Step::select);
  if (!options.client_name.empty()) {
    out.add({"CLIENT", "SETNAME", options.client_name});
    add(Step::set_name);
  }
  out.add({"CLIENT", "ID"});
  add(Step::client_id);
  out.add({"INFO", "server"});
  add(Step::info);
}

Handshake::State Handshake::on_reply(const Reply& reply, CommandBuffer& out) {
  if (next_ >= count_) return fail(Errc::protocol, "a reply to no command");
  const Step step = steps_[next_++];
  return reply.is_error() ? on_error(step, reply.text(), out) : on_answer(step, reply, out);
}

Handshake::State Handshake::on_error(Step step, std::string_view text, CommandBuffer& out) {
  const Errc code = classify(text);
  if (step == Step::auth) {
    // "ERR Client sent AUTH, but no password is set", "ERR invalid password" and the like. The text is not kept,
    // because some servers repeat the password in it.
    const Errc meaning = code == Errc::other ? Errc::wrongpass : code;
    return fail(meaning, "AUTH: " + make_error_code(meaning).message());
  }
  // An ACL or an old server may refuse names, ids and kills, and the connection opens without them. If the server is
  // only busy or loading, the handshake fails, because a later one will succeed.
  const bool refused_for_good = code == Errc::noperm || code == Errc::other;
  if (step != Step::select && refused_for_good) {
    on_refused(step, text);
    return after(out);
  }
  return fail(code, (step == Step::select ? "SELECT " + database_ + ": " : "") + std::string(text));
}

void Handshake::on_refused(Step step, std::string_view text) {
  if (step == Step::kill) {
    if (kill_refusal_.empty()) kill_refusal_.assign("CLIENT KILL: ").append(text);
  } else if (step != Step::set_name && identity_refusal_.empty()) {
    identity_refusal_.assign(step == Step::info ? "INFO: " : "CLIENT ID: ").append(text);
  }
}

Handshake::State Handshake::on_answer(Step step, const Reply& reply, CommandBuffer& out) {
  bool expected = false;
  switch (step) {
    case Step::auth:
    case Step::select:
    case Step::set_name:
      expected = reply.is(Reply::Type::status) && reply.text() == "OK";
      break;
    case Step::client_id:
      expected = reply.is(Reply::Type::integer);
      if (expected) identity_.client_id = std::to_string(reply.integer());
      break;
    case Step::info:
      expected = reply.is(Reply::Type::string);
      if (expected) identity_.run_id = info_value(reply.text(), "run_id");
      break;
    case Step::kill:
      expected = reply.is(Reply::Type::integer);  // the number of killed connections
      break;
  }
  return expected ? after(out) : fail(Errc::protocol, "an unexpected answer while connecting");
}

Handshake::State Handshake::after(CommandBuffer& out) {
  if (next_ < count_) return State::running;
  if (steps_[count_ - 1] != Step::kill) kill_lost(out);
  return next_ < count_ ? State::running : State::done;
}

// Kills the lost connections to this server process. One without a known run_id cannot be killed, because each server
// process counts client ids anew: the id may belong to another client.
void Handshake::kill_lost(CommandBuffer& out) {
  for (const ClientIdentity& lost : lost_) {
    if (!lost.known() || !identity_.known()) {
      kill_refusal_ = identity_refusal_;
    } else if (lost.run_id == identity_.run_id && lost.client_id != identity_.client_id) {
      out.add({"CLIENT", "KILL", "ID", lost.client_id});
      add(Step::kill);
    }
  }
}

Handshake::State Handshake::fail(Errc code, std::string text) {
  error_ = code;
  error_text_ = std::move(text);
  return State::failed;
}

std::string_view info_value(std::string_view info, std::string_view name) noexcept {
  while (!info.empty()) {
    const auto end = info.find('\n');
    std::string_view line = info.substr(0, end);
    info.remove_prefix(end == std::string_view::npos ? info.size() : end + 1);
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line.remove_prefix(name.size() + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  return {};
}

}  // namespace portsync::redis
