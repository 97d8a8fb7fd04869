// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE control_socket
#include "faces/socket/control_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

// A plain unix socket that is not the ControlSocket: a client or a listener.
class Other {
 public:
  explicit Other(const std::string& path) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  ~Other() { ::close(fd_); }

  [[nodiscard]] bool connect() const { return ::connect(fd_, address(), sizeof address_) == 0; }
  void listen(int backlog) const {
    BOOST_REQUIRE(::bind(fd_, address(), sizeof address_) == 0);
    BOOST_REQUIRE(::listen(fd_, backlog) == 0);
  }

 private:
  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  sockaddr_un address_{};
  int fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

struct Fixture {
  portsync::test::TemporaryFolder folder;
  std::string path = folder.file("control.sock");

  [[nodiscard]] std::errc refusal(const std::string& place) const {
    try {
      const ControlSocket socket(place);
    } catch (const std::system_error& error) {
      BOOST_TEST(std::string(error.what()).starts_with(place));
      return static_cast<std::errc>(error.code().value());
    }
    return {};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_user_may_connect_whatever_the_umask, Fixture) {
  const mode_t before = ::umask(0077);
  const ControlSocket socket(path);
  ::umask(before);
  const auto status = std::filesystem::status(path);
  BOOST_TEST((status.type() == std::filesystem::file_type::socket));
  BOOST_TEST(static_cast<unsigned>(status.permissions()) == 0666U);
  BOOST_TEST(socket.path() == path);
}

BOOST_FIXTURE_TEST_CASE(clients_are_accepted_one_by_one_without_waiting, Fixture) {
  const ControlSocket socket(path);
  BOOST_TEST(socket.accept() == -1);
  BOOST_TEST(errno == EAGAIN);
  const Other client(path);
  BOOST_REQUIRE(client.connect());
  const int accepted = socket.accept();
  BOOST_REQUIRE(accepted >= 0);
  BOOST_TEST((::fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
  BOOST_TEST((::fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);
  BOOST_TEST(socket.accept() == -1);
  ::close(accepted);
}

BOOST_FIXTURE_TEST_CASE(the_file_goes_with_the_socket, Fixture) {
  { const ControlSocket socket(path); }
  BOOST_TEST(!std::filesystem::exists(path));
}

// Such a file remains of an instance that was killed.
BOOST_FIXTURE_TEST_CASE(a_socket_without_a_listener_is_replaced, Fixture) {
  { Other(path).listen(1); }
  BOOST_REQUIRE(std::filesystem::exists(path));
  const ControlSocket socket(path);
  BOOST_TEST(Other(path).connect());
}

BOOST_FIXTURE_TEST_CASE(a_socket_with_a_listener_is_left_alone, Fixture) {
  const Other other(path);
  other.listen(8);
  BOOST_TEST((refusal(path) == std::errc::address_in_use));
  BOOST_TEST(Other(path).connect());
}

BOOST_FIXTURE_TEST_CASE(a_listener_with_a_full_queue_counts_as_one, Fixture) {
  const Other other(path);
  other.listen(0);
  const Other client(path);
  BOOST_REQUIRE(client.connect());  // the queue is full now
  BOOST_TEST((refusal(path) == std::errc::address_in_use));
}

BOOST_FIXTURE_TEST_CASE(what_is_no_socket_is_left_alone, Fixture) {
  BOOST_TEST((refusal(folder.write("file", "text")) == std::errc::file_exists));
  BOOST_TEST(std::filesystem::file_size(folder.file("file")) == 4U);
  std::filesystem::create_symlink(folder.file("none"), folder.file("link"));
  BOOST_TEST((refusal(folder.file("link")) == std::errc::file_exists));
}

BOOST_FIXTURE_TEST_CASE(a_place_that_cannot_be_had_is_named, Fixture) {
  BOOST_TEST((refusal(folder.file("none/control.sock")) == std::errc::no_such_file_or_directory));
  BOOST_TEST((refusal(folder.file(std::string(200, 'x'))) == std::errc::filename_too_long));
}

// Two instances that start at the same time may end in the opposite order.
BOOST_FIXTURE_TEST_CASE(another_one_s_file_is_not_removed, Fixture) {
  std::optional<ControlSocket> first(std::in_place, path);
  std::filesystem::remove(path);
  const ControlSocket second(path);
  first.reset();
  BOOST_TEST(Other(path).connect());
}
