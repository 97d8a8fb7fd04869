// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE kept_link
#include "core/kept_link.hpp"

#include <boost/test/unit_test.hpp>
#include <utility>

using portsync::LinkState;
using portsync::core::KeptLink;

namespace {

LinkState make_link(const char* name) {
  LinkState link;
  link.ifindex = 7;
  link.name = name;
  return link;
}

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_kept_at_first) {
  const KeptLink kept;
  BOOST_TEST(kept.get() == nullptr);
  BOOST_TEST(!kept.lasting());
}

BOOST_AUTO_TEST_CASE(a_lasting_link_is_the_source_s_own) {
  LinkState link = make_link("Ethernet0");
  const KeptLink kept(link, true);
  BOOST_TEST(kept.get() == &link);
  BOOST_TEST(kept.lasting());
  link.name = "Ethernet4";
  BOOST_TEST(kept->name == "Ethernet4");
}

BOOST_AUTO_TEST_CASE(another_link_is_copied_into_the_same_place) {
  LinkState link = make_link("Ethernet0");
  KeptLink kept(link, false);
  const LinkState* copy = kept.get();
  BOOST_TEST(copy != &link);
  BOOST_TEST(!kept.lasting());
  link.name = "Ethernet4";
  BOOST_TEST(kept->name == "Ethernet0");
  kept.keep(link, false);
  BOOST_TEST(kept->name == "Ethernet4");
  BOOST_TEST(kept.get() == copy);
}

BOOST_AUTO_TEST_CASE(a_source_may_begin_and_cease_to_keep_a_link) {
  const LinkState first = make_link("Ethernet0");
  const LinkState second = make_link("Ethernet4");
  KeptLink kept(first, false);
  kept.keep(second, true);
  BOOST_TEST(kept.get() == &second);
  BOOST_TEST(kept.lasting());
  kept.make_copy();
  BOOST_TEST(kept.get() != &second);
  BOOST_TEST((*kept == second));
  BOOST_TEST(!kept.lasting());
}

BOOST_AUTO_TEST_CASE(what_is_kept_moves_without_another_copy) {
  KeptLink kept(make_link("Ethernet0"), false);
  const LinkState* copy = kept.get();
  const KeptLink other = std::exchange(kept, {});
  BOOST_TEST(other.get() == copy);
  BOOST_TEST(kept.get() == nullptr);
}
