// SPDX-License-Identifier: Apache-2.0
#include "redis/read_back.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "redis/error_reply.hpp"
#include "redis/fields.hpp"

namespace portsync::redis {
namespace {

constexpr std::size_t index_chunk = 256;

// Returns whether a refusal concerns only this key: its type, or our permission. Such a refusal is permanent, and the
// rest of the table can be read.
bool concerns_key_only(Errc code) noexcept {
  return code == Errc::wrongtype || code == Errc::noperm || code == Errc::other;
}

void set_words(std::string& words, std::string_view key, std::string_view text) {
  words.assign(key).append(": ").append(text);
}

}  // namespace

std::string escape_glob(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view(R"(*?[]\)").find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

void ReadBack::begin(Scope scope, const std::vector<std::string_view>& ports, bool try_index) {
  prefix_ = options_.table + options_.separator;
  active_ = true;
  seen_.clear();
  index_.clear();
  error_.clear();
  error_text_.clear();
  index_refusal_.clear();
  row_refusal_.clear();
  unread_rows_ = 0;
  try_index_ = try_index && options_.index;
  if (scope == Scope::all) {
    pattern_ = escape_glob(prefix_) + '*';
    cursor_ = "0";
    scans_ = 0;
    ask_index_ = options_.index;
    return;
  }
  for (const std::string_view port : ports) want(port);
  if (options_.index) index_wanted_ = wanted_;
}

void ReadBack::abort() noexcept {
  active_ = false;
  stale_ = 0;
  failure_.clear();
  requests_.clear();
  seen_.clear();
  index_.clear();
  cursor_.clear();
  scanning_ = ask_index_ = try_index_ = false;
  wanted_.clear();
  asked_.clear();
  index_wanted_.clear();
  index_asked_.clear();
}

ReadBack::Step ReadBack::advance(CommandBuffer& out) {
  if (!active_) return Step::none;
  if (failure_) {
    // The replies to earlier requests are still to come.
    const std::size_t outstanding = requests_.size() + stale_;
    const std::error_code failure = failure_;
    abort();
    stale_ = outstanding;
    error_ = failure;
    return Step::ended;
  }
  if (std::exchange(try_index_, false)) {
    out.add({"HDEL", options_.table, "/"});  // no netdev has that name
    request(Request::index_try);
  }
  if (ask_index_) {
    ask_index_ = false;
    out.add({"HGETALL", options_.table});
    request(Request::index_all);
  }
  while (!index_wanted_.empty()) ask_index_some(out);
  while (!wanted_.empty() && requests_.size() < max_outstanding) ask_row(out);
  if (wanted_.empty() && !scanning_ && !cursor_.empty()) ask_scan(out);
  if (!complete()) return Step::none;
  fields_.clear();
  unread_field_ = {};
  readable_ = true;
  if (!index_refusal_.empty()) index_.clear();
  if (!index_.empty()) {
    port_ = index_.begin()->first;
    take_index_entry();
    return Step::row;
  }
  active_ = false;
  seen_.clear();
  return Step::ended;
}

bool ReadBack::complete() const noexcept {
  return requests_.empty() && wanted_.empty() && cursor_.empty();
}

// Returns the owner of the row. A row with an index entry is ours, because no other program writes the index. A row
// with all four fields may be another portsyncd's.
StoredRow::Owner ReadBack::owner() const noexcept {
  if (!fields_.empty() && fields_.back().first == index_field) return StoredRow::Owner::ours;
  return fields_.size() == own_fields.size() ? StoredRow::Owner::likely : StoredRow::Owner::unknown;
}

void ReadBack::request(Request request) {
  requests_.push_back(request);
}

void ReadBack::ask_index_some(CommandBuffer& out) {
  std::vector<std::string_view> words{"HMGET", options_.table};
  std::size_t count = 0;
  for (; count < index_chunk && !index_wanted_.empty(); ++count) {
    index_asked_.push_back(std::move(index_wanted_.front()));
    index_wanted_.pop_front();
    words.push_back(index_asked_.back());
  }
  out.add(words);
  request(Request::index_some);
}

void ReadBack::ask_scan(CommandBuffer& out) {
  scanning_ = true;
  out.add({"SCAN", cursor_, "MATCH", pattern_, "COUNT", "1000"});
  request(Request::scan);
}

void ReadBack::ask_row(CommandBuffer& out) {
  asked_.push_back(std::move(wanted_.front()));
  wanted_.pop_front();
  const std::string key = prefix_ + asked_.back();
  std::array<std::string_view, 2 + own_fields.size()> words{"HMGET", key};
  std::copy(own_fields.begin(), own_fields.end(), words.begin() + 2);
  out.add(words);
  request(Request::row);
}

ReadBack::Step ReadBack::on_reply(const Reply& reply) {
  if (stale_ > 0) {
    --stale_;
    return Step::none;
  }
  if (requests_.empty()) return Step::nonsense;
  const Request request = requests_.front();
  requests_.pop_front();
  if (failure_) return Step::none;
  switch (request) {
    case Request::index_try:
      if (reply.is_error()) return on_index_refused(reply);
      return reply.is(Reply::Type::integer) ? Step::none : Step::nonsense;
    case Request::index_all:
      return on_index_all(reply);
    case Request::index_some:
      return on_index_some(reply);
    case Request::scan:
      return on_scan(reply);
    case Request::row:
      return on_row(reply);
  }
  return Step::nonsense;
}

ReadBack::Step ReadBack::fail(Errc code, std::string_view key, std::string_view text) {
  failure_ = code;
  set_words(error_text_, key, text);
  return Step::none;
}

ReadBack::Step ReadBack::on_index_refused(const Reply& reply) {
  const Errc code = classify(reply.text());
  if (!concerns_key_only(code)) return fail(code, options_.table, reply.text());
  if (index_refusal_.empty()) {
    ++index_failures_;
    set_words(index_refusal_, options_.table, reply.text());
  }
  return Step::none;
}

std::string ReadBack::unread_rows() const {
  if (unread_rows_ == 0) return {};
  return std::to_string(unread_rows_) + (unread_rows_ == 1 ? " row" : " rows") + " cannot be read, " + row_refusal_;
}

ReadBack::Step ReadBack::on_index_all(const Reply& reply) {
  if (reply.is_error()) return on_index_refused(reply);
  if (!reply.is(Reply::Type::array) || reply.size() % 2 != 0) return Step::nonsense;
  for (std::size_t i = 0; i < reply.size(); i += 2) {
    if (!reply[i].is(Reply::Type::string) || !reply[i + 1].is(Reply::Type::string)) return Step::nonsense;
    if (!reply[i].text().empty()) index_.emplace(reply[i].text(), reply[i + 1].text());
  }
  return Step::none;
}

ReadBack::Step ReadBack::on_index_some(const Reply& reply) {
  const std::size_t count = std::min(index_chunk, index_asked_.size());
  const auto end = index_asked_.begin() + static_cast<std::ptrdiff_t>(count);
  Step step = Step::none;
  if (reply.is_error()) {
    step = on_index_refused(reply);
  } else if (reply.size() != count) {
    step = Step::nonsense;
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      if (reply[i].is(Reply::Type::string)) index_.emplace(index_asked_[i], reply[i].text());
    }
  }
  index_asked_.erase(index_asked_.begin(), end);
  return step;
}

ReadBack::Step ReadBack::on_scan(const Reply& reply) {
  scanning_ = false;
  if (reply.is_error()) return fail(classify(reply.text()), "SCAN " + pattern_, reply.text());
  if (reply.size() != 2 || !reply[0].is(Reply::Type::string) || reply[0].text().empty() ||
      !reply[1].is(Reply::Type::array)) {
    return Step::nonsense;
  }
  cursor_ = reply[0].text();
  if (cursor_ == "0") cursor_.clear();
  const Reply keys = reply[1];
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string_view key = keys[i].text();
    if (key.starts_with(prefix_)) want(key.substr(prefix_.size()));
  }
  return seen_.size() > max_rows || ++scans_ > max_scans ? Step::nonsense : Step::none;
}

// Adds a port once, because SCAN may return a key more than once.
void ReadBack::want(std::string_view port) {
  if (!port.empty() && seen_.emplace(port).second) wanted_.emplace_back(port);
}

ReadBack::Step ReadBack::on_row(const Reply& reply) {
  port_ = std::move(asked_.front());
  asked_.pop_front();
  fields_.clear();
  readable_ = true;
  if (reply.is_error()) {
    const Errc code = classify(reply.text());
    if (!concerns_key_only(code)) return fail(code, prefix_ + port_, reply.text());
    // A key that is not a hash has no fields of ours. Nothing is known about a key that we may not read.
    readable_ = code == Errc::wrongtype;
    if (!readable_ && ++unread_rows_ == 1) set_words(row_refusal_, prefix_ + port_, reply.text());
    take_index_entry();
    return Step::row;
  }
  if (reply.size() != own_fields.size()) return Step::nonsense;
  for (std::size_t i = 0; i < own_fields.size(); ++i) {
    if (reply[i].is(Reply::Type::string)) fields_.emplace_back(own_fields[i], reply[i].text());
  }
  if (fields_.empty()) return Step::none;  // only others' fields; an index entry is reported at the end
  take_index_entry();
  return Step::row;
}

void ReadBack::take_index_entry() {
  // If the index refuses writes, ignore its entries. A difference there is no drift, because no write can fix it.
  if (!index_refusal_.empty()) {
    unread_field_ = index_field;
    return;
  }
  unread_field_ = {};
  const auto it = index_.find(port_);
  if (it == index_.end()) return;
  entry_ = std::move(it->second);
  index_.erase(it);
  fields_.emplace_back(index_field, entry_);
}

}  // namespace portsync::redis
