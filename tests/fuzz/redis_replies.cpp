// SPDX-License-Identifier: Apache-2.0
// The layers that judge a server's replies, without a socket: any bytes, in any pieces, as replies in each state.
// redis_sink.cpp fuzzes the whole sink.
#include <array>
#include <memory>
#include <portsync/redis/state_sink.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "fuzz/redis_witness.hpp"
#include "redis/answers.hpp"
#include "redis/batch.hpp"
#include "redis/handshake.hpp"
#include "redis/read_back.hpp"
#include "redis/resp.hpp"

namespace {

using namespace portsync;
using fuzz::Input;
using fuzz::require;
using fuzz::Witness;
using redis::CommandBuffer;
using redis::Reply;
using redis::ReplyReader;

// Returns the replies of a stream that arrives in pieces, one by one.
class Stream {
 public:
  Stream(std::string_view bytes, std::size_t piece) : rest_(bytes), piece_(piece) {}

  // Returns nullptr at the end.
  const redisReply* next() {
    for (;;) {
      const auto result = reader_.next(reply_);
      if (result == ReplyReader::Result::reply) return reply_.get();
      broken_ = result == ReplyReader::Result::broken;
      if (broken_ || rest_.empty()) return nullptr;
      const std::string piece(rest_.bytes(piece_));  // a copy, so that a sanitizer sees any access beyond its end
      reader_.feed(piece.data(), piece.size());
    }
  }
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  [[nodiscard]] std::string error() const { return reader_.error(); }

 private:
  Input rest_;
  std::size_t piece_;
  ReplyReader reader_;
  redis::ReplyPtr reply_;
  bool broken_ = false;
};

// Adds the commands of a buffer, and empties it.
void hear(Witness& witness, CommandBuffer& commands) {
  ReplyReader reader;
  reader.feed(commands.bytes().data(), commands.bytes().size());
  redis::ReplyPtr request;
  std::size_t count = 0;
  for (; reader.next(request) == ReplyReader::Result::reply; ++count)
    witness.on_command(fuzz::words_of(Reply(*request)));
  require(count == commands.commands(), "commands are counted");
  commands.clear();
}

std::size_t count_elements(const Reply& reply, int depth = 0) {
  require(depth <= ReplyReader::max_depth, "replies are not deeper than is allowed");
  std::size_t count = reply.size();
  for (std::size_t i = 0; i < reply.size(); ++i) count += count_elements(reply[i], depth + 1);
  return count;
}

bool same(const Reply& a, const Reply& b) {
  if (a.type() != b.type() || a.text() != b.text() || a.integer() != b.integer() || a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

// A stream has the same replies however it is cut.
void check_reader(Input input) {
  const std::size_t piece = 1U + input.byte();
  Stream in_pieces(input.rest(), piece);
  Stream whole(input.rest(), input.rest().size() + 1);
  for (;;) {
    const redisReply* one = in_pieces.next();
    const redisReply* other = whole.next();
    require((one == nullptr) == (other == nullptr), "the same number of replies");
    if (one == nullptr) break;
    require(count_elements(Reply(*one)) <= ReplyReader::max_elements, "replies are not larger than is allowed");
    require(same(Reply(*one), Reply(*other)), "the same answers");
  }
  require(in_pieces.broken() == whole.broken(), "broken in both");
  if (whole.broken()) require(!whole.error().empty(), "broken for a reason");
}

void check_handshake(Input input) {
  const std::uint8_t bits = input.byte();
  redis::ConnectionOptions options;
  if ((bits & 1U) != 0) options.username = "user";
  if ((bits & 2U) != 0) options.password = "s3cret";
  if ((bits & 4U) != 0) options.client_name.clear();
  std::vector<redis::ClientIdentity> lost;
  if ((bits & 8U) != 0) lost = {{"other", "6"}, {"fake", "7"}};
  redis::Handshake handshake;
  CommandBuffer out;
  Witness witness;
  handshake.start(options, lost, out);
  hear(witness, out);
  Stream stream(input.rest(), 1U + (bits >> 4U));
  while (const redisReply* raw = stream.next()) {
    const Reply reply(*raw);
    require(witness.unanswered() > 0, "it ends with its last reply");
    const bool to_auth = witness.next()[0] == "AUTH";
    witness.on_answer(reply);
    const auto state = handshake.on_reply(reply, out);
    hear(witness, out);
    require(witness.unanswered() <= 6, "it sends no more requests than it needs");
    if (state == redis::Handshake::State::failed) {
      require(static_cast<bool>(handshake.error()) && !handshake.error_text().empty(), "failed for a reason");
      require(!to_auth || handshake.error_text().find("s3cret") == std::string::npos, "the password is in no text");
      return;
    }
    require(witness.welcome(), "refused at once");
    if (witness.unanswered() > 0 && witness.next().size() == 4) {
      const Witness::Command kill{"CLIENT", "KILL", "ID", "7"};
      require(witness.next() == kill && handshake.identity().run_id == "fake",
              "only connections that were lost there are killed");
    }
    if (state == redis::Handshake::State::done) {
      require(witness.unanswered() == 0, "done with the last reply");
      return;
    }
  }
}

// Rows in batches, any replies to their commands, and the results.
class Batches {
 public:
  explicit Batches(std::uint8_t bits) : bits_(bits) {
    if ((bits & 1U) != 0) options_.index = false;
    if ((bits & 2U) != 0) options_.erase = redis::EraseMode::whole_key;
  }

  void run(Stream& stream) {
    send();
    while (const redisReply* raw = stream.next()) {
      const Reply reply(*raw);
      const bool asked = witness_.unanswered() > 0;
      witness_.on_answer(reply);
      const auto outcome = answers_.on_reply(reply);
      require(asked || !outcome.fits, "a reply without a command does not fit");
      if (!outcome.fits) break;
      take_results();
      if (outcome.stuck) {
        out_.add({"DISCARD"});
        answers_.on_discard_sent();
        hear(witness_, out_);
      }
      if (outcome.batch_since && batches_ < 8) send();
    }
    answers_.on_closed();
    take_results();
    require(answers_.rows() == 0, "no row remains when the connection is gone");
  }

 private:
  void send() {
    ++batches_;
    for (unsigned i = 0; i <= (bits_ >> 6U); ++i) {
      add();
      add_removal();
    }
    const auto layout = batch_.finish(out_, !answers_.plain());
    answers_.on_batch_sent(layout, {});
    hear(witness_, out_);
    take_results();
  }

  void add() {
    const auto record = fuzz::record_of(++revision_, (bits_ & 4U) == 0, options_.index);
    auto stored = record;
    if ((bits_ & 16U) != 0) stored.fields[1].value = "down";
    const PortRecord* known = (bits_ & 8U) != 0 ? &stored : nullptr;
    answers_.add(record.port, revision_, false).unanswered = batch_.put(record, known);
  }
  void add_removal() {
    if ((bits_ & 32U) == 0) return;
    witness_.removals[++revision_] = true;
    answers_.add(fuzz::port_of(revision_), revision_, true).unanswered = batch_.erase(fuzz::port_of(revision_));
  }

  void take_results() {
    redis::Answers::Row row;
    while (answers_.take_result(row)) {
      require(row.revision > last_reported_ && row.revision <= revision_,
              "each row's result is reported once, in order");
      last_reported_ = row.revision;
      require(row.port == fuzz::port_of(row.revision), "a result has its row's port");
      require(row.error || witness_.stored(row.revision), "a row that is reported as stored is stored");
    }
  }

  std::uint8_t bits_;
  redis::StateSinkOptions options_;
  redis::Batch batch_{options_};
  redis::Answers answers_;
  Witness witness_;
  CommandBuffer out_;
  Revision revision_ = 0;
  Revision last_reported_ = 0;
  int batches_ = 0;
};

class Reading {
 public:
  explicit Reading(std::uint8_t bits) : scope_((bits & 1U) != 0 ? Scope::listed : Scope::all) {
    options_.index = (bits & 2U) == 0;
  }

  void run(Stream& stream) {
    for (int round = 0; round < 3; ++round) {
      rows_.clear();
      read_back_.begin(scope_, {"Ethernet0", "Ethernet4", "Ethernet0", ""});
      advance();
      while (read_back_.active()) {
        const redisReply* raw = stream.next();
        if (raw == nullptr) return read_back_.abort();
        require(outstanding_ > 0, "while it is active, a reply is outstanding");
        --outstanding_;
        if (take(read_back_.on_reply(Reply(*raw)))) return read_back_.abort();
        advance();
      }
    }
  }

 private:
  void advance() {
    for (;;) {
      const auto step = read_back_.advance(out_);
      outstanding_ += out_.commands();
      out_.clear();
      require(outstanding_ <= 2 * redis::ReadBack::max_outstanding, "a bounded number of requests is outstanding");
      if (step == redis::ReadBack::Step::none || take(step) || step == redis::ReadBack::Step::ended) return;
    }
  }

  // Returns true if the reply was nonsense.
  bool take(redis::ReadBack::Step step) {
    if (step == redis::ReadBack::Step::row) {
      const StoredRow row = read_back_.row();
      require(!row.port.empty() && rows_.emplace(row.port).second, "a row is reported once");
      for (const auto& [name, value] : *row.fields) total_ += name.size() + value.size();
    }
    return step == redis::ReadBack::Step::nonsense;
  }

  Scope scope_;
  redis::StateSinkOptions options_;
  redis::ReadBack read_back_{options_};
  CommandBuffer out_;
  std::size_t outstanding_ = 0;
  std::set<std::string, std::less<>> rows_;
  std::size_t total_ = 0;  // uses what was read
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  enum : std::uint8_t { reader, handshake, batches, reading };
  const std::uint8_t state = input.byte() % 4;
  if (state == reader) {
    check_reader(input);
  } else if (state == handshake) {
    check_handshake(input);
  } else {
    const std::uint8_t bits = input.byte();
    Stream stream(input.rest(), 64);
    if (state == batches) Batches(bits).run(stream);
    if (state == reading) Reading(bits).run(stream);
  }
  return 0;
}
