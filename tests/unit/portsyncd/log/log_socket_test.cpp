// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE log_socket
#include "log/log_socket.hpp"

#include <endian.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <string>

using namespace portsyncd;

namespace {

using Entry = std::map<std::string, std::string>;

// Parses a datagram as journald does.
Entry parse(std::string_view datagram) {
  Entry entry;
  while (!datagram.empty()) {
    const std::string name(datagram.substr(0, datagram.find('\n')));
    std::uint64_t size = 0;
    BOOST_REQUIRE(datagram.size() > name.size() + 1 + sizeof size);
    std::memcpy(&size, datagram.data() + name.size() + 1, sizeof size);
    datagram.remove_prefix(name.size() + 1 + sizeof size);
    size = le64toh(size);
    BOOST_REQUIRE(datagram.size() > size);
    BOOST_REQUIRE(datagram[size] == '\n');
    entry[name] = datagram.substr(0, size);
    datagram.remove_prefix(size + 1);
  }
  return entry;
}

class Daemon {
 public:
  explicit Daemon(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { ::close(fd_); }

  // Returns the next datagram, or "" if there is none.
  std::string read_text() const {
    std::array<char, 65536> datagram;
    const ssize_t size = ::recv(fd_, datagram.data(), datagram.size(), 0);
    return size < 0 ? "" : std::string(datagram.data(), static_cast<std::size_t>(size));
  }
  Entry read() const { return parse(read_text()); }

 private:
  int fd_;
};

std::filesystem::path make_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "portsync-journal-XXXXXX").string();
  BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
  return name;
}

struct Fixture {
  ~Fixture() { std::filesystem::remove_all(directory); }

  std::string path() const { return directory / "socket"; }

  std::filesystem::path directory = make_directory();
  std::unique_ptr<Daemon> journald = std::make_unique<Daemon>(path());
  LogSocket journal{LogSocket::Protocol::journal, path()};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_line_has_its_priority_and_fields, Fixture) {
  const log::Field fields[] = {{"PORT", "Ethernet0"}, {"OLD", "two\nlines=x"}};
  journal.send(6, "Received event port=Ethernet0", fields);
  const Entry wanted = {{"MESSAGE", "Received event port=Ethernet0"},
                        {"PRIORITY", "6"},
                        {"SYSLOG_IDENTIFIER", "portsyncd"},
                        {"PORTSYNCD_PORT", "Ethernet0"},
                        {"PORTSYNCD_OLD", "two\nlines=x"}};
  BOOST_TEST((journald->read() == wanted));
}

BOOST_FIXTURE_TEST_CASE(a_journald_that_does_not_read_costs_lines_and_no_time_and_the_loss_is_logged, Fixture) {
  constexpr int sent = 5000;
  for (int i = 0; i < sent; ++i) journal.send(6, std::to_string(i), {});  // a blocking send would hang here
  int taken = 0;
  while (true) {
    const Entry entry = journald->read();
    if (entry.empty()) break;
    BOOST_REQUIRE(entry.at("MESSAGE") == std::to_string(taken));
    ++taken;
  }
  BOOST_TEST(taken > 0);
  BOOST_TEST(taken < sent);
  journal.send(3, "after", {});
  const Entry loss = journald->read();
  BOOST_TEST(loss.at("MESSAGE") == "journal: lines lost=" + std::to_string(sent - taken));
  BOOST_TEST(loss.at("PRIORITY") == "4");
  BOOST_TEST(journald->read().at("MESSAGE") == "after");
  journal.send(6, "more", {});
  BOOST_TEST(journald->read().at("MESSAGE") == "more");  // reported once
}

BOOST_FIXTURE_TEST_CASE(it_is_known_when_the_lines_have_been_read, Fixture) {
  using std::chrono::milliseconds;
  BOOST_TEST(journal.wait_until_read(milliseconds(0)));
  journal.send(6, "one", {});
  journal.send(3, "two", {});
  BOOST_TEST(!journal.wait_until_read(milliseconds(5)));
  journald->read();
  BOOST_TEST(!journal.wait_until_read(milliseconds(0)));
  journald->read();
  BOOST_TEST(journal.wait_until_read(milliseconds(0)));
}

BOOST_FIXTURE_TEST_CASE(another_socket_in_its_place_is_found, Fixture) {
  journald.reset();
  journal.send(6, "nobody", {});
  std::filesystem::remove(path());
  journal.send(6, "nothing", {});
  journald = std::make_unique<Daemon>(path());
  journal.send(6, "back", {});
  BOOST_TEST(journald->read().at("MESSAGE") == "journal: lines lost=2");
  BOOST_TEST(journald->read().at("MESSAGE") == "back");
}

BOOST_FIXTURE_TEST_CASE(a_line_of_syslog_is_as_syslog_3_sends_it, Fixture) {
  LogSocket syslog(LogSocket::Protocol::syslog, path());
  syslog.send(3, "Cannot go on", {});
  const std::string line = journald->read_text();
  const std::regex wanted("<27>[A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} portsyncd\\[" +
                          std::to_string(::getpid()) + "\\]: Cannot go on");
  BOOST_TEST(std::regex_match(line, wanted), line);
}

BOOST_FIXTURE_TEST_CASE(a_syslog_daemon_that_does_not_read_costs_no_time_and_the_loss_is_logged, Fixture) {
  LogSocket syslog(LogSocket::Protocol::syslog, path());
  for (int i = 0; i < 5000; ++i) syslog.send(6, "line", {});
  while (!journald->read_text().empty()) continue;
  syslog.send(6, "after", {});
  const std::string loss = journald->read_text();
  BOOST_TEST(loss.starts_with("<28>"), loss);
  BOOST_TEST(loss.find("]: syslog: lines lost=") != std::string::npos, loss);
  BOOST_TEST(journald->read_text().ends_with("]: after"));
}

BOOST_FIXTURE_TEST_CASE(who_takes_no_lines_is_found_before_they_are_sent, Fixture) {
  BOOST_TEST(journal.check() == 0);
  journald.reset();
  BOOST_TEST(journal.check() == ECONNREFUSED);
  std::filesystem::remove(path());
  BOOST_TEST(journal.check() == ENOENT);
}
