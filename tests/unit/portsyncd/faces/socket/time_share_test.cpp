// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE time_share
#include "faces/socket/time_share.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

using namespace portsyncd;
using namespace std::chrono_literals;

namespace {

constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;

// Returns how much of a second the users get in total if all of them ask without a pause. Each question takes `cost`.
std::chrono::milliseconds time_of(int users, std::chrono::microseconds cost) {
  TimeShare share;
  TimeShare::TimePoint now{1h};
  // Measure after the burst.
  TimeShare::Duration spent{};
  const auto begin = now + 10s;
  const auto end = begin + 1s;
  while (now < end) {
    bool worked = false;
    TimeShare::TimePoint wake = end;
    for (int user = 0; user < users; ++user) {
      const uid_t uid = alice + static_cast<uid_t>(user);
      if (share.next(uid) > now) {
        wake = std::min(wake, share.next(uid));
        continue;
      }
      now += cost;
      share.charge(uid, cost, now);
      if (now > begin) spent += cost;
      worked = true;
    }
    if (!worked) now = wake;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(spent);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_single_question_is_answered_at_once) {
  TimeShare share;
  const TimeShare::TimePoint now{1h};
  BOOST_TEST((share.next(alice) <= now));
  share.charge(alice, 4ms, now);
  BOOST_TEST((share.next(alice) <= now));  // the next question is answered at once too
}

BOOST_AUTO_TEST_CASE(a_user_who_asks_without_a_pause_gets_a_tenth) {
  BOOST_TEST(time_of(1, 200us).count() >= 95);
  BOOST_TEST(time_of(1, 200us).count() <= 105);
}

BOOST_AUTO_TEST_CASE(all_users_together_get_a_fifth) {
  BOOST_TEST(time_of(10, 200us).count() >= 190);
  BOOST_TEST(time_of(10, 200us).count() <= 210);
}

BOOST_AUTO_TEST_CASE(a_user_s_debt_is_not_another_s) {
  TimeShare share;
  const TimeShare::TimePoint now{1h};
  for (int i = 0; i < 7; ++i) share.charge(alice, 1ms, now);
  BOOST_TEST((share.next(alice) > now));
  BOOST_TEST((share.next(bob) <= now));
  BOOST_TEST((share.next(alice) <= now + 20ms));
}
