// SPDX-License-Identifier: Apache-2.0
// The whole Redis sink on a socket. The input is a program: the calls of the sink, and the server's replies, regular or
// not, whole or in pieces. Whatever the server does, the sink reports each row at most once, reports no row as stored
// that was not, opens only where password and database were accepted, and has nothing to do when nothing happens.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <portsync/redis/state_sink.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "fuzz/redis_witness.hpp"
#include "os/descriptor.hpp"
#include "redis/resp.hpp"
#include "support/cpp/resp_text.hpp"
#include "support/cpp/unix_listener.hpp"

namespace {

using namespace portsync;
using fuzz::Input;
using fuzz::require;
using fuzz::Witness;

const std::string password = "s3cret";

// One listener for the whole process. Its file is unlinked at once, and is reached through a descriptor.
class Listener {
 public:
  Listener() {
    const std::string path = std::filesystem::temp_directory_path() / ("fuzz-" + std::to_string(::getpid()));
    socket_ = test::listen_unix(path);
    file_.reset(::open(path.c_str(), O_PATH | O_CLOEXEC));
    ::unlink(path.c_str());
  }
  [[nodiscard]] os::Descriptor accept() const { return test::accept_unix(socket_); }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  os::Descriptor socket_;
  os::Descriptor file_;
};

const Listener& listener() {
  static const Listener listener;
  return listener;
}

// Serves one connection at a time, the latest. Keeps what the previous connection received until the next one comes.
class Server {
 public:
  explicit Server(bool welcoming) : welcoming_(welcoming) {}

  // Returns true if there was something to do.
  bool step() {
    bool busy = false;
    while (os::Descriptor descriptor = listener().accept()) {
      client_ = std::make_unique<Client>(std::move(descriptor));
      client_->witness.removals = removals;
      ++accepted_;
      busy = true;
    }
    if (connected()) busy |= read();
    while (welcoming_ && connected() && unanswered() > 0 && is_greeting(client_->witness.next()[0])) say_usual();
    return busy;
  }

  [[nodiscard]] bool connected() const { return client_ && client_->descriptor; }
  [[nodiscard]] int accepted() const { return accepted_; }
  [[nodiscard]] std::size_t unanswered() const { return client_ ? client_->witness.unanswered() : 0; }
  // The witness of the connection that a result came from.
  [[nodiscard]] const Witness& witness() const { return client_->witness; }

  void say(std::string_view text) {
    if (!connected()) return;
    const auto size = ::send(client_->descriptor.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (size != static_cast<ssize_t>(text.size())) return close();
    client_->said.feed(text.data(), text.size());
    match();
  }
  [[nodiscard]] std::string usual() const { return unanswered() > 0 ? usual(client_->witness) : "+PONG\r\n"; }
  void say_usual() { say(usual()); }
  void half_close() {
    if (connected()) ::shutdown(client_->descriptor.get(), SHUT_WR);
  }
  void close() {
    if (client_) client_->descriptor.reset();
  }
  // Reads what the sink has sent, so that the witness knows it.
  void catch_up() {
    if (connected()) (void)read();
  }

  std::map<Revision, bool> removals;

 private:
  struct Client {
    explicit Client(os::Descriptor accepted) : descriptor(std::move(accepted)) {}
    os::Descriptor descriptor;
    redis::ReplyReader heard;
    redis::ReplyReader said;
    Witness witness;
  };

  bool read() {
    std::array<char, 65536> data;
    const auto size = ::recv(client_->descriptor.get(), data.data(), data.size(), 0);
    if (size < 0 && errno == EAGAIN) return false;
    if (size <= 0) {
      close();
      return true;
    }
    client_->heard.feed(data.data(), static_cast<std::size_t>(size));
    redis::ReplyPtr request;
    for (;;) {
      const auto result = client_->heard.next(request);
      require(result != redis::ReplyReader::Result::broken, "the sink speaks RESP");
      if (result != redis::ReplyReader::Result::reply) break;
      client_->witness.removals = removals;
      client_->witness.on_command(fuzz::words_of(redis::Reply(*request)));
    }
    match();
    return true;
  }

  // A reply may have been sent before its command arrived.
  void match() {
    redis::ReplyPtr answer;
    while (client_->witness.unanswered() > 0 && client_->said.next(answer) == redis::ReplyReader::Result::reply) {
      client_->witness.on_answer(redis::Reply(*answer));
    }
  }

  static bool is_greeting(const std::string& name) {
    return name == "AUTH" || name == "SELECT" || name == "CLIENT" || name == "INFO";
  }

  [[nodiscard]] std::string usual(const Witness& witness) const {
    const Witness::Command& command = witness.next();
    const std::string& name = command[0];
    if (name == "MULTI" || name == "AUTH" || name == "SELECT" || name == "DISCARD") return test::ok;
    if (name == "EXEC") return test::array(std::vector<std::string>(witness.queued(), ":1\r\n"));
    if (witness.in_multi()) return test::queued;
    if (name == "CLIENT") return command[1] == "SETNAME" ? test::ok : ":" + std::to_string(accepted_) + "\r\n";
    if (name == "INFO") return test::bulk("# Server\r\nrun_id:fake\r\n");
    if (name == "HGETALL") return test::bulks({"Ethernet0", "up", "Ethernet8", "down"});
    if (name == "SCAN") {
      const bool first = command[1] == "0";
      return test::array(
          {test::bulk(first ? "5" : "0"), test::bulks({"PORT_TABLE|Ethernet0", "PORT_TABLE|Ethernet4"})});
    }
    if (name == "HMGET") return test::array(std::vector<std::string>(command.size() - 2, test::bulk("up")));
    return ":1\r\n";
  }

  bool welcoming_;
  std::unique_ptr<Client> client_;
  int accepted_ = 0;
};

const std::array<std::string, 24> odd_answers{
    "-ERR unknown command, with args beginning with: 's3cret'\r\n",
    "-EXECABORT Transaction discarded because of previous errors.\r\n",
    "-OOM x\r\n",
    "-READONLY x\r\n",
    "-NOPERM x\r\n",
    "-NOAUTH x\r\n",
    "-WRONGPASS s3cret\r\n",
    "-LOADING x\r\n",
    "-BUSY x\r\n",
    "-WRONGTYPE x\r\n",
    "-ERR max number of clients reached\r\n",
    test::ok,
    test::queued,
    ":0\r\n",
    test::nil,
    "*-1\r\n",
    "*0\r\n",
    "*1\r\n:1\r\n",
    "*2\r\n:1\r\n-WRONGTYPE x\r\n",
    "*2\r\n$1\r\n0\r\n*0\r\n",
    "*2\r\n$1\r\n9\r\n*1\r\n$21\r\nPORT_TABLE|Ethernet12\r\n",
    "*4\r\n$2\r\nok\r\n$-1\r\n$-1\r\n$4\r\n9100\r\n",
    "$3\r\nabc\r\n",
    "%1\r\n",
};

class Program final : public StateSink::Observer {
 public:
  explicit Program(std::uint8_t bits) : bits_(bits), server_((bits & 32U) == 0) {
    redis::StateSinkOptions options;
    options.connection.socket_path = listener().path();
    options.connection.retry_interval = std::chrono::milliseconds(1);
    options.connection.timeout = std::chrono::minutes(1);  // so that the machine's pace does not matter
    options.connection.probe_interval = std::chrono::milliseconds(0);
    if ((bits & 1U) != 0) options.connection.password = password;
    if ((bits & 2U) != 0) options.connection.username = "user";
    if ((bits & 4U) != 0) options.index = false;
    if ((bits & 8U) != 0) options.erase = redis::EraseMode::whole_key;
    sink_ = redis::make_state_sink(options);
    require(!sink_->start(*this), "it starts");
  }

  void run(Input input) {
    drive();
    while (!input.empty() && server_.accepted() <= 4) {
      step(input.byte(), input);
      drive();
      if (!server_.connected()) wait_for_connection();
    }
    const SinkStatistics statistics = sink_->statistics();
    const bool secret = (bits_ & 1U) != 0;
    require(!secret || statistics.last_error.find(password) == std::string::npos, "the password is in no text");
    require(statistics.opens == opens_ && statistics.open == open_, "the statistics count each opening");
  }

  void on_open() override {
    require(!open_, "it opens once");
    server_.catch_up();
    require(server_.witness().welcome(), "it opens only when password and database are accepted");
    open_ = true;
    ++opens_;
  }
  void on_row(const StoredRow& row) override {
    require(open_ && reading_, "a row is reported while rows are read");
    require(!row.port.empty() && rows_.emplace(row.port).second, "a row is reported once");
    for (const auto& [name, value] : *row.fields) require(name.data() != nullptr && value.size() < 4096, "fields");
  }
  void on_read_back(std::error_code) override { require(std::exchange(reading_, false), "a read-back ends once"); }
  void on_result(std::string_view port, Revision revision, std::error_code error) override {
    require(waiting_.erase(revision) == 1, "a row's result is reported once");
    require(port == fuzz::port_of(revision), "a result has its row's port");
    server_.catch_up();
    require(error || server_.witness().stored(revision), "a row that is reported as stored is stored");
  }
  void on_closed(std::error_code error) override {
    require(static_cast<bool>(error), "it closes for a reason");
    open_ = reading_ = false;
    waiting_.clear();
  }

 private:
  void step(std::uint8_t operation, Input& input) {
    switch (operation % 16) {
      case 0:
        return server_.say_usual();
      case 1:
        for (std::size_t left = server_.unanswered(); left > 0; --left) server_.say_usual();
        return;
      case 2:
        return server_.say(odd_answers[input.byte() % odd_answers.size()]);
      case 3:
        return server_.say(input.bytes(input.byte()));
      case 4: {  // in two pieces
        const std::string answer = server_.usual();
        const std::size_t cut = input.byte() % answer.size();
        server_.say(answer.substr(0, cut));
        drive();
        return server_.say(answer.substr(cut));
      }
      case 5:
      case 6:
        return put(input.byte());
      case 7:
        return erase();
      case 8:
      case 9:
        return check(sink_->flush(), {});
      case 10:
        return read_back(Scope::all);
      case 11:
        return read_back(Scope::listed);
      case 12:
        return server_.half_close();
      case 13:
        return server_.close();
      case 14:  // everything at once, without reading replies
        put(0);
        erase();
        check(sink_->flush(), {});
        return read_back(Scope::all);
      default:  // a reply before its command
        server_.say(":1\r\n");
        put(0);
        return check(sink_->flush(), {});
    }
  }

  // Requires that a call failed only with not_open, while the sink is not open, or with `other`.
  void check(std::error_code said, std::error_code other) const {
    if (!said || said == other) return;
    require(said == Errc::not_open && !sink_->statistics().open, "the error says why");
  }

  void put(std::uint8_t variant) {
    const Revision revision = ++revision_;
    const PortRecord record = fuzz::record_of(revision, (variant & 1U) == 0, (bits_ & 4U) == 0);
    PortRecord stored = record;
    if ((variant & 4U) == 0) stored.fields[1].value = "down";
    const auto said = sink_->put(record, (variant & 2U) == 0 ? nullptr : &stored, revision);
    check(said, Errc::no_room);
    if (!said) waiting_.insert(revision);
  }
  void erase() {
    const Revision revision = ++revision_;
    server_.removals[revision] = true;
    const auto said = sink_->erase(fuzz::port_of(revision), revision);
    check(said, Errc::no_room);
    if (!said) waiting_.insert(revision);
  }
  void read_back(Scope scope) {
    const auto said = sink_->read_back(scope, {"Ethernet0", "Ethernet4"});
    check(said, Errc::busy);
    require(reading_ ? static_cast<bool>(said) : said != Errc::busy, "one read-back at a time");
    if (said) return;
    reading_ = true;
    rows_.clear();
  }

  [[nodiscard]] bool readable(int milliseconds) const {
    pollfd watched{sink_->fd(), POLLIN, 0};
    return ::poll(&watched, 1, milliseconds) > 0;
  }

  // Drives both sides until neither has anything to do.
  void drive() {
    for (int turns = 0;; ++turns) {
      require(turns < 1000, "it comes to rest");
      const bool busy = server_.step();
      if (readable(0)) {
        require(!sink_->process(), "no trouble is final");
      } else if (!busy) {
        return;
      }
    }
  }
  void wait_for_connection() {
    for (int tries = 0; tries < 10 && !server_.connected(); ++tries) {
      if (readable(5)) drive();
    }
  }

  std::uint8_t bits_;
  Server server_;
  std::unique_ptr<StateSink> sink_;
  bool open_ = false;
  bool reading_ = false;
  std::uint64_t opens_ = 0;
  Revision revision_ = 0;
  std::set<Revision> waiting_;  // accepted by the sink, and neither reported nor given up
  std::set<std::string, std::less<>> rows_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Program program(input.byte());
  program.run(input);
  return 0;
}
