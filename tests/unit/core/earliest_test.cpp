// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE earliest
#include "core/earliest.hpp"

#include <boost/test/unit_test.hpp>

using namespace portsync;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(no_deadline_is_later_than_any) {
  const std::optional<TimePoint> none;
  const std::optional<TimePoint> soon = TimePoint(1s);
  const std::optional<TimePoint> late = TimePoint(2s);
  BOOST_TEST((core::earliest(none, none) == none));
  BOOST_TEST((core::earliest(soon, none) == soon));
  BOOST_TEST((core::earliest(none, soon) == soon));
  BOOST_TEST((core::earliest(soon, late) == soon));
  BOOST_TEST((core::earliest(late, soon) == soon));
}
