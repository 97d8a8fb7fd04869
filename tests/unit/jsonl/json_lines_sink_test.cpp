// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE json_lines_sink
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <portsync/json_lines_sink.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cpp/fakes.hpp"
#include "support/cpp/sink_observer.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;

namespace {

struct Pipe {
  Pipe() { BOOST_REQUIRE(::pipe2(fds, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    ::close(fds[1]);
  }
  void close_reader() {
    if (fds[0] >= 0) ::close(std::exchange(fds[0], -1));
  }
  std::string read() const {
    std::string text(1 << 20, '\0');
    const ssize_t size = ::read(fds[0], text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
  int fds[2];
};

struct Fixture {
  Fixture() { std::signal(SIGPIPE, SIG_IGN); }
  void open() {
    BOOST_REQUIRE(!sink->start(observer));
    process_until(*sink, [this] { return observer.opens == 1; });
  }
  PortRecord record(const LinkState& link) {
    PortRecord record;
    json_lines_projection()(link, record);
    return record;
  }
  Pipe pipe;
  std::unique_ptr<StateSink> sink = make_json_lines_sink({pipe.fds[1], 1 << 20});
  SinkObserver observer;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_row_is_a_line_of_valid_json_with_every_member_of_the_link) {
  Fixture f;
  f.open();
  LinkState link = make_link(7, "Ether\"\xff", true, 9100);
  link.address.size = 6;
  link.carrier_up_count = 3;
  link.master = 12;
  link.alternative_names = {"etp1", "Eth1/1"};
  BOOST_REQUIRE(!f.sink->put(f.record(link), nullptr, 1));
  BOOST_REQUIRE(!f.sink->erase("Ethernet4", 2));
  BOOST_REQUIRE(!f.sink->flush());
  process_until(*f.sink, [&f] { return f.observer.results.size() == 2; });
  const std::string text = f.pipe.read();
  const auto end = text.find('\n');
  const auto line = nlohmann::json::parse(text.substr(0, end));
  BOOST_TEST(line.at("event") == "put");
  BOOST_TEST(line.at("port") == "Ether\"\xef\xbf\xbd");
  BOOST_TEST(line.at("ifindex") == 7);
  BOOST_TEST(line.at("admin_status") == "up");
  BOOST_TEST(line.at("netdev_oper_status") == "up");
  BOOST_TEST(line.at("mtu") == 9100);
  BOOST_TEST(line.at("operstate") == "up");
  BOOST_TEST(line.at("carrier_up_count") == 3);
  BOOST_TEST(line.at("carrier_changes").is_null());
  BOOST_TEST(line.at("address") == "00:00:00:00:00:00");
  BOOST_TEST(line.at("master") == 12);
  BOOST_TEST(line.at("kind") == "veth");
  BOOST_TEST(line.at("alternative_names") == nlohmann::json({"etp1", "Eth1/1"}));
  BOOST_TEST(text.substr(end + 1) == "{\"event\":\"erase\",\"port\":\"Ethernet4\"}\n");
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_delays_answers_and_never_blocks) {
  Fixture f;
  f.open();
  const PortRecord record = f.record(make_link(7, "Ethernet0"));
  Revision sent = 0;
  while (f.sink->room() > 0) BOOST_REQUIRE(!f.sink->put(record, nullptr, ++sent));
  BOOST_REQUIRE(!f.sink->flush());
  while (readable(*f.sink)) BOOST_REQUIRE(!f.sink->process());
  BOOST_TEST(f.observer.results.size() > 0U);
  BOOST_TEST(f.observer.results.size() < sent);
  BOOST_TEST((f.sink->put(record, nullptr, ++sent) == Errc::no_room) == (f.sink->room() == 0));
  std::string text;
  process_until(*f.sink, [&] {
    text += f.pipe.read();
    return f.observer.results.size() >= 1024;
  });
  for (std::size_t i = 0; i < f.observer.results.size(); ++i) {
    BOOST_REQUIRE(f.observer.results[i].revision == i + 1);
    BOOST_REQUIRE(!f.observer.results[i].error);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_that_is_gone_closes_it_for_good) {
  Fixture f;
  f.open();
  f.pipe.close_reader();
  BOOST_REQUIRE(!f.sink->put(f.record(make_link(7, "Ethernet0")), nullptr, 1));
  BOOST_REQUIRE(!f.sink->flush());
  process_until(*f.sink, [&f] { return f.observer.closings.size() == 1; });
  BOOST_TEST((f.observer.closings[0] == std::errc::broken_pipe));
  BOOST_TEST(f.observer.results.empty());
  BOOST_TEST((f.sink->put(f.record(make_link(7, "Ethernet0")), nullptr, 2) == Errc::not_open));
  BOOST_TEST(!readable(*f.sink));
}

BOOST_AUTO_TEST_CASE(a_terminal_without_a_reader_does_not_block) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  BOOST_REQUIRE(master >= 0);
  BOOST_REQUIRE(::grantpt(master) == 0 && ::unlockpt(master) == 0);
  const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  BOOST_REQUIRE(terminal >= 0);
  Fixture f;
  f.sink = make_json_lines_sink({terminal, 1 << 20});
  f.open();
  const PortRecord record = f.record(make_link(7, "Ethernet0"));
  Revision sent = 0;
  while (f.sink->room() > 0) BOOST_REQUIRE(!f.sink->put(record, nullptr, ++sent));
  ::alarm(5);  // ends the test program if the write blocks
  BOOST_REQUIRE(!f.sink->flush());
  ::alarm(0);
  BOOST_TEST(f.sink->statistics().bytes_sent > 0U);
  BOOST_TEST((::fcntl(terminal, F_GETFL) & O_NONBLOCK) == 0);
  ::close(terminal);
  ::close(master);
}

BOOST_AUTO_TEST_CASE(a_regular_file_is_written_too) {
  char path[] = "/tmp/json_lines_XXXXXX";
  const int fd = ::mkstemp(path);
  BOOST_REQUIRE(fd >= 0);
  Fixture f;
  f.sink = make_json_lines_sink({fd, 1 << 20});
  f.open();
  BOOST_REQUIRE(!f.sink->erase("Ethernet4", 1));
  BOOST_REQUIRE(!f.sink->flush());
  process_until(*f.sink, [&f] { return f.observer.results.size() == 1; });
  BOOST_TEST(::lseek(fd, 0, SEEK_END) == 37);
  ::close(fd);
  ::unlink(path);
}

BOOST_AUTO_TEST_CASE(no_space_refuses_rows_and_closes_nothing) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  BOOST_REQUIRE(full >= 0);
  Fixture f;
  f.sink = make_json_lines_sink({full, 1 << 20});
  f.open();
  for (Revision revision = 1; revision <= 3; ++revision) {
    BOOST_REQUIRE(!f.sink->put(f.record(make_link(7, "Ethernet0")), nullptr, revision));
    BOOST_REQUIRE(!f.sink->erase("Ethernet4", revision + 10));
    BOOST_REQUIRE(!f.sink->flush());
    process_until(*f.sink, [&] { return f.observer.results.size() == 2 * revision; });
    BOOST_TEST((f.observer.results.back().error == std::errc::no_space_on_device));
  }
  BOOST_TEST(f.observer.closings.empty());
  BOOST_TEST(f.sink->statistics().open);
  BOOST_TEST(f.sink->statistics().last_error == "No space left on device");
  BOOST_TEST(!readable(*f.sink), "who offers rows decides when to try again");
  ::close(full);
}

namespace {

// A file whose size RLIMIT_FSIZE limits to `bytes`.
struct SmallFile {
  explicit SmallFile(rlim_t bytes, int flags = 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    fd = ::mkostemp(path, O_CLOEXEC | flags);
    BOOST_REQUIRE(fd >= 0);
  }
  // Lets the file have `bytes` more than now.
  void grow_by(rlim_t bytes) const {
    struct stat status {};
    ::fstat(fd, &status);
    const rlimit more{static_cast<rlim_t>(status.st_size) + bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &more);
  }
  ~SmallFile() {
    grow();
    ::close(fd);
    ::unlink(path);
  }
  void grow() const { ::setrlimit(RLIMIT_FSIZE, &before); }
  std::string text() const {
    std::string text(1 << 16, '\0');
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
  rlimit before{};
  char path[32] = "/tmp/json_lines_XXXXXX";
  int fd = -1;
};

constexpr std::string_view erase_line = "{\"event\":\"erase\",\"port\":\"Ethernet4\"}\n";

}  // namespace

BOOST_AUTO_TEST_CASE(a_line_that_does_not_fit_is_not_left_in_part) {
  for (const int flags : {0, O_APPEND}) {
    const SmallFile file(erase_line.size() + 10, flags);
    Fixture f;
    f.sink = make_json_lines_sink({file.fd, 1 << 20});
    f.open();
    BOOST_REQUIRE(!f.sink->erase("Ethernet4", 1));
    BOOST_REQUIRE(!f.sink->erase("Ethernet4", 2));
    BOOST_REQUIRE(!f.sink->flush());
    process_until(*f.sink, [&f] { return f.observer.results.size() == 2; });
    BOOST_TEST(!f.observer.results[0].error);
    BOOST_TEST((f.observer.results[1].error == std::errc::file_too_large));
    BOOST_TEST(file.text() == erase_line);
    file.grow();
    BOOST_REQUIRE(!f.sink->erase("Ethernet4", 3));
    BOOST_REQUIRE(!f.sink->flush());
    process_until(*f.sink, [&f] { return f.observer.results.size() == 3; });
    BOOST_TEST(!f.observer.results[2].error);
    BOOST_TEST(file.text() == std::string(erase_line) + std::string(erase_line));
  }
}

namespace {

// A sink whose file already ends with a line and 10 bytes of another one, which the sink could not take back because
// bytes of another program were behind them.
struct CutLine : Fixture {
  CutLine() {
    file.grow();
    BOOST_REQUIRE(::pwrite(file.fd, "else", 4, size) == 4);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    sink = make_json_lines_sink({file.fd, 1 << 20});
    open();
    offer(2);
    BOOST_REQUIRE(::ftruncate(file.fd, size) == 0);
    BOOST_TEST(!observer.results[0].error);
    BOOST_TEST((observer.results[1].error == std::errc::file_too_large));
    BOOST_TEST(file.text() == cut);
  }

  // Offers so many rows, and waits until each is answered.
  void offer(std::size_t rows = 1) {
    const std::size_t wanted = observer.results.size() + rows;
    for (std::size_t row = 0; row < rows; ++row) BOOST_REQUIRE(!sink->erase("Ethernet4", ++revision));
    BOOST_REQUIRE(!sink->flush());
    process_until(*sink, [&] { return observer.results.size() == wanted; });
  }

  static constexpr off_t size = static_cast<off_t>(erase_line.size()) + 10;
  const std::string cut = std::string(erase_line) + std::string(erase_line.substr(0, 10));
  const SmallFile file{static_cast<rlim_t>(size)};
  const rlimit limit{static_cast<rlim_t>(size), file.before.rlim_max};
  Revision revision = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_part_of_a_line_that_cannot_be_taken_back_is_ended, CutLine) {
  file.grow();
  offer();
  BOOST_TEST(file.text() == cut + "\n" + std::string(erase_line));
}

BOOST_FIXTURE_TEST_CASE(it_is_ended_though_the_next_line_was_refused_whole, CutLine) {
  offer();
  BOOST_TEST(file.text() == cut);
  file.grow();
  offer(2);
  BOOST_TEST(file.text() == cut + "\n" + std::string(erase_line) + std::string(erase_line));
}

BOOST_FIXTURE_TEST_CASE(it_is_ended_though_the_next_line_was_taken_back, CutLine) {
  file.grow_by(5);
  offer();
  BOOST_TEST(file.text() == cut);
  file.grow();
  offer(2);
  BOOST_TEST(file.text() == cut + "\n" + std::string(erase_line) + std::string(erase_line));
}

BOOST_FIXTURE_TEST_CASE(it_is_ended_once_though_the_line_feed_alone_was_written, CutLine) {
  file.grow();
  BOOST_REQUIRE(::pwrite(file.fd, "?", 1, size + 1) == 1);  // behind the line feed, so it cannot be taken back
  const rlimit one{limit.rlim_cur + 1, limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &one);
  offer();
  file.grow();
  offer();
  BOOST_TEST(file.text() == cut + "\n" + std::string(erase_line));
}

BOOST_AUTO_TEST_CASE(a_part_of_a_line_is_taken_back_in_the_call_that_wrote_it) {
  const SmallFile file(erase_line.size() + 10);
  Fixture f;
  f.sink = make_json_lines_sink({file.fd, 1 << 20});
  f.open();
  BOOST_REQUIRE(!f.sink->erase("Ethernet4", 1));
  BOOST_REQUIRE(!f.sink->erase("Ethernet4", 2));
  BOOST_REQUIRE(!f.sink->flush());
  BOOST_TEST(file.text() == erase_line, "before anybody reads it");
}

BOOST_AUTO_TEST_CASE(every_row_is_refused_though_a_handler_throws) {
  struct Thrower final : SinkObserver {
    void on_result(std::string_view port, Revision revision, std::error_code error) override {
      SinkObserver::on_result(port, revision, error);
      if (revision == 1) throw std::runtime_error("a handler's");
    }
  } observer;
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  const auto sink = make_json_lines_sink({full, 1 << 20});
  BOOST_REQUIRE(!sink->start(observer));
  process_until(*sink, [&] { return observer.opens == 1; });
  for (Revision revision = 1; revision <= 3; ++revision) BOOST_REQUIRE(!sink->erase("Ethernet4", revision));
  BOOST_REQUIRE(!sink->flush());
  BOOST_CHECK_THROW(process_until(*sink, [] { return false; }), std::runtime_error);
  process_until(*sink, [&] { return observer.results.size() == 3; });
  BOOST_TEST((observer.results[2].error == std::errc::no_space_on_device));
  ::close(full);
}

BOOST_AUTO_TEST_CASE(each_write_to_a_pipe_ends_with_a_line) {
  Fixture f;
  BOOST_REQUIRE(::fcntl(f.pipe.fds[1], F_SETPIPE_SZ, 4096) >= 0);
  f.open();
  const PortRecord record = f.record(make_link(7, "Ethernet0"));
  for (Revision revision = 1; revision <= 100; ++revision) BOOST_REQUIRE(!f.sink->put(record, nullptr, revision));
  BOOST_REQUIRE(!f.sink->flush());
  const std::string text = f.pipe.read();
  BOOST_TEST(text.size() > 0U);
  BOOST_TEST(text.ends_with("}\n"));
}

BOOST_AUTO_TEST_CASE(a_bad_descriptor_is_said_at_once) {
  BOOST_CHECK_THROW((void)make_json_lines_sink({-1, 1024}), std::system_error);
}
