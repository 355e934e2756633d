// A network's description comes back from its JSON; what does not fit together is refused by name.
#include "io/network_file.hpp"

#include <gtest/gtest.h>

#include "complaint.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

NetworkFile attention_network() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("in.weight", {12, 5});
  layout->add("scale", {});
  layout->add("out.weight", {4, 6});
  layout->add("out.bias", {4});
  return {.symmetry = {layout,
                       {{.name = "head.0", .size = 3, .kind = GroupKind::kSigned, .parent = 2, .block = 0},
                        {.name = "head.1", .size = 3, .kind = GroupKind::kSigned, .parent = 2, .block = 1},
                        {"heads", 2}},
                       {{.tensor = 0, .axis = 0, .group = 0, .offset = 6},
                        {.tensor = 0, .axis = 0, .group = 1, .offset = 9},
                        {.tensor = 0, .axis = 0, .group = 2, .outer = 2, .inner = 3},
                        {.tensor = 2, .axis = 1, .group = 2, .inner = 3, .dual = true}}},
          .maps = {{.name = "in", .weights = {0}, .sees_data = true},
                   {.name = "out", .weights = {2}, .bias = 3, .recurrent = true}},
          .aliases = {{"tied.weight", "out.weight"}}};
}

TEST(NetworkFile, what_is_read_is_what_was_written) {
  const NetworkFile network = attention_network();
  const std::string text = network_json(network);
  const NetworkFile read = parse_network(text, "a.json");
  EXPECT_EQ(network_json(read), text);
  EXPECT_EQ(read.symmetry.layout()->hash(), network.symmetry.layout()->hash());
  ASSERT_EQ(read.symmetry.groups().size(), 3U);
  EXPECT_EQ(read.symmetry.groups()[1].parent, 2U);
  EXPECT_EQ(read.symmetry.groups()[1].block, 1);
  EXPECT_EQ(read.symmetry.groups()[1].kind, GroupKind::kSigned);
  ASSERT_EQ(read.symmetry.actions().size(), 4U);
  EXPECT_EQ(read.symmetry.actions()[2].outer, 2);
  EXPECT_EQ(read.symmetry.actions()[3].inner, 3);
  EXPECT_TRUE(read.symmetry.actions()[3].dual);
  EXPECT_EQ(read.symmetry.actions()[1].offset, 9);
  ASSERT_EQ(read.maps.size(), 2U);
  EXPECT_TRUE(read.maps[0].sees_data);
  EXPECT_EQ(read.maps[1].bias, 3U);
  EXPECT_EQ(read.aliases.at("tied.weight"), "out.weight");
}

TEST(NetworkFile, what_does_not_fit_together_is_refused_by_name) {
  const std::string text = network_json(attention_network());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    const std::size_t place = other.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    return complaint([&] { (void)parse_network(other.replace(place, from.size(), to), "a.json"); });
  };
  EXPECT_NE(changed("fleet-symmetry", "other").find("a.json: expected \"format\""), std::string::npos);
  EXPECT_NE(changed("\"version\": 1", "\"version\": 2").find("version 2"), std::string::npos);
  EXPECT_NE(changed("\"size\": 2", "\"size\": 200").find("a.json: axis 0 of in.weight"), std::string::npos);
  EXPECT_NE(changed("\"axis\": 0", "\"axis\": 7").find("axis 7 of in.weight"), std::string::npos);
  EXPECT_NE(changed("\"axis\": 0", "\"axes\": 0").find("action 0: \"axes\" is not known"), std::string::npos);
  EXPECT_NE(changed("\"signed\"", "\"odd\"").find("group 0: kind odd"), std::string::npos);
  EXPECT_NE(changed("\"parent\": \"heads\"", "\"parent\": \"hands\"").find("group hands, which"), std::string::npos);
  EXPECT_NE(changed("\"group\": \"head.0\"", "\"group\": \"x\"").find("names group x"), std::string::npos);
  EXPECT_NE(changed("\"bias\": \"out.bias\"", "\"bias\": \"x\"").find("map 1 names tensor x"), std::string::npos);
  EXPECT_NE(changed("\"offset\": 6", "\"offset\": -6").find("\"offset\" must be a whole number"), std::string::npos);
  EXPECT_NE(changed("\"name\": \"scale\"", "\"name\": \"out.bias\"").find("two tensors are called"), std::string::npos);
  EXPECT_NE(changed("\"size\": 2", "\"size\": 99999999999").find("\"size\" must be"), std::string::npos);
}

TEST(NetworkFile, a_file_that_cannot_be_read_is_named) {
  const Scratch scratch;
  const auto path = scratch.path() / "a.symmetry.json";
  EXPECT_NE(complaint([&] { (void)read_network(path); }).find(path.string()), std::string::npos);
  Scratch::write(path, "{");
  EXPECT_NE(complaint([&] { (void)read_network(path); }).find("no valid JSON"), std::string::npos);
  Scratch::write(path, network_json(attention_network()));
  EXPECT_EQ(read_network(path).symmetry.groups().size(), 3U);
}

}  // namespace
}  // namespace fleet
