// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "redis/error_reply.hpp"

namespace portsync::redis {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "redis"; }

  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::protocol:
        return "the answer is not one of Redis";
      case Errc::timeout:
        return "no answer in time";
      case Errc::end_of_file:
        return "Redis closed the connection";
      case Errc::resolve:
        return "the host name has no address";
      case Errc::oom:
        return "Redis is out of memory (OOM)";
      case Errc::readonly:
        return "Redis is a read-only replica (READONLY)";
      case Errc::noperm:
        return "the Redis user lacks the permission (NOPERM)";
      case Errc::noauth:
        return "Redis needs a password (NOAUTH)";
      case Errc::wrongpass:
        return "Redis refused the user or password (WRONGPASS)";
      case Errc::loading:
        return "Redis is loading its dataset (LOADING)";
      case Errc::busy:
        return "Redis is busy with a script (BUSY)";
      case Errc::misconf:
        return "Redis cannot persist and accepts no writes (MISCONF)";
      case Errc::noreplicas:
        return "Redis has too few replicas (NOREPLICAS)";
      case Errc::wrongtype:
        return "the key is not a hash (WRONGTYPE)";
      case Errc::max_clients:
        return "Redis has too many clients";
      case Errc::other:
        return "an error reply of Redis";
      case Errc::masterdown:
        return "Redis is a replica without its master (MASTERDOWN)";
      case Errc::idle:
        return "Redis closed the connection, which was idle";
    }
    return "unknown error " + std::to_string(value);
  }
};

constexpr std::array<std::pair<std::string_view, Errc>, 11> words{{
    {"OOM", Errc::oom},
    {"READONLY", Errc::readonly},
    {"NOPERM", Errc::noperm},
    {"NOAUTH", Errc::noauth},
    {"WRONGPASS", Errc::wrongpass},
    {"LOADING", Errc::loading},
    {"BUSY", Errc::busy},
    {"MISCONF", Errc::misconf},
    {"NOREPLICAS", Errc::noreplicas},
    {"WRONGTYPE", Errc::wrongtype},
    {"MASTERDOWN", Errc::masterdown},
}};

// Returns the error of a command in a script. Redis 7 replies with that error alone. Redis 6 puts the position in the
// script before it:
// "ERR Error running script (call to f_6d…): @user_script:1: @user_script: 1: -READONLY You can't write …".
std::string_view said_in_script(std::string_view text) noexcept {
  constexpr std::string_view place = "@user_script:";
  const auto at = text.rfind(place);
  if (at == std::string_view::npos) return text;
  std::string_view rest = text.substr(at + place.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" 0123456789"), rest.size()));
  if (!rest.starts_with(": ")) return text;  // "… script: f_6d…, on @user_script:1."
  rest.remove_prefix(2);
  if (rest.starts_with('-')) rest.remove_prefix(1);
  return rest;
}

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

Errc classify(std::string_view error_reply) noexcept {
  error_reply = said_in_script(error_reply);
  const std::string_view word = error_reply.substr(0, error_reply.find(' '));
  const auto* known = std::find_if(words.begin(), words.end(), [word](const auto& pair) { return pair.first == word; });
  if (known != words.end()) return known->second;
  return error_reply.starts_with("ERR max number of clients") ? Errc::max_clients : Errc::other;
}

bool is_exec_abort(std::string_view error_reply) noexcept {
  return error_reply.starts_with("EXECABORT");
}

std::string printable(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string result(text.substr(0, longest));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  return result;
}

}  // namespace portsync::redis
