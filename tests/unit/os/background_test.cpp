// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE background
#include "os/background.hpp"

#include <fcntl.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using portsync::os::Background;

namespace {

bool readable(int fd, int milliseconds) {
  pollfd waited{fd, POLLIN, 0};
  return ::poll(&waited, 1, milliseconds) == 1;
}

template <typename Result>
Result wait_and_take(Background<Result>& background) {
  BOOST_REQUIRE(readable(background.fd(), 5000));
  BOOST_REQUIRE(background.finished());
  return background.take();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_result_makes_the_descriptor_readable_until_it_is_taken) {
  Background<std::string> background;
  BOOST_TEST(!background.running());
  BOOST_TEST(!background.finished());
  BOOST_TEST(!readable(background.fd(), 0));
  background.start([] { return std::string("done"); });
  BOOST_TEST(background.running());
  BOOST_TEST(wait_and_take(background) == "done");
  BOOST_TEST(!background.running());
  BOOST_TEST(!background.finished());
  BOOST_TEST(!readable(background.fd(), 0));
}

BOOST_AUTO_TEST_CASE(nothing_is_finished_while_the_call_runs) {
  std::promise<void> go;
  Background<int> background;
  background.start([future = go.get_future()]() mutable {
    future.wait();
    return 1;
  });
  BOOST_TEST(background.running());
  BOOST_TEST(!background.finished());
  BOOST_TEST(!readable(background.fd(), 20));
  go.set_value();
  BOOST_TEST(wait_and_take(background) == 1);
}

BOOST_AUTO_TEST_CASE(one_thread_which_is_not_the_callers_makes_all_calls) {
  Background<std::thread::id> background;
  const int fd = background.fd();
  background.start([] { return std::this_thread::get_id(); });
  const auto first = wait_and_take(background);
  BOOST_TEST((first != std::this_thread::get_id()));
  for (int i = 0; i < 100; ++i) {
    background.start([] { return std::this_thread::get_id(); });
    BOOST_TEST((wait_and_take(background) == first));
  }
  BOOST_TEST(background.fd() == fd);
}

BOOST_AUTO_TEST_CASE(what_the_call_throws_is_thrown_by_take) {
  Background<int> background;
  background.start([]() -> int { throw std::runtime_error("no memory"); });
  BOOST_REQUIRE(readable(background.fd(), 5000));
  BOOST_CHECK_EXCEPTION((void)background.take(), std::runtime_error,
                        [](const auto& error) { return error.what() == std::string("no memory"); });
  BOOST_TEST(!background.running());
  background.start([] { return 2; });
  BOOST_TEST(wait_and_take(background) == 2);
}

BOOST_AUTO_TEST_CASE(what_the_call_holds_is_gone_before_it_counts_as_finished) {
  const auto held = std::make_shared<int>(0);
  Background<int> background;
  background.start([held] { return *held; });
  BOOST_REQUIRE(readable(background.fd(), 5000));
  BOOST_TEST(held.use_count() == 1);
  BOOST_TEST(background.take() == 0);
}

// A call that hangs must not delay the end of the program. Its thread must survive the object's destruction.
BOOST_AUTO_TEST_CASE(destroying_it_does_not_wait_for_the_call) {
  std::promise<void> go;
  auto held = std::make_shared<std::promise<void>>();
  auto gone = held->get_future();
  int fd = -1;
  {
    Background<int> background;
    fd = background.fd();
    background.start([future = go.get_future(), held = std::move(held)]() mutable {
      future.wait();
      held->set_value();
      return 1;
    });
  }
  BOOST_TEST(::fcntl(fd, F_GETFD) == -1);  // the thread does not keep our descriptor either
  BOOST_CHECK(gone.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  go.set_value();
  BOOST_CHECK(gone.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
}

BOOST_AUTO_TEST_CASE(it_may_be_destroyed_at_any_stage) {
  { const Background<int> never_started; }
  {
    Background<int> just_started;
    just_started.start([] { return 1; });
  }
  {
    Background<int> not_taken;
    not_taken.start([] { return 1; });
    BOOST_TEST(readable(not_taken.fd(), 5000));
  }
  {
    Background<int> idle;
    idle.start([] { return 1; });
    BOOST_TEST(wait_and_take(idle) == 1);
  }
}

BOOST_AUTO_TEST_CASE(the_thread_takes_no_signals) {
  Background<bool> background;
  background.start([] {
    sigset_t set;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    return ::sigismember(&set, SIGTERM) == 1 && ::sigismember(&set, SIGUSR1) == 1;
  });
  BOOST_TEST(wait_and_take(background));
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  BOOST_TEST(::sigismember(&mine, SIGTERM) == 0);
}
