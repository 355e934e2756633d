#include "tools/family.hpp"

#include <fstream>

#include "complaint.hpp"
#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

const Fields kFields = {
    {"length", 0.5}, {"w", 2.0}, {"part", std::string("<geom size=\"{w/4}\"/>")}, {"round", std::string("{round}")}};

TEST(ToolsFormula, is_arithmetic) {
  EXPECT_DOUBLE_EQ(evaluate("1 + 2*3 - 4/2", kFields), 5);
  EXPECT_DOUBLE_EQ(evaluate("-(w - length)*2", kFields), -3);
  EXPECT_DOUBLE_EQ(evaluate("--2", kFields), 2);
  EXPECT_DOUBLE_EQ(evaluate("w/(2*sqrt(4))", kFields), 0.5);
  EXPECT_DOUBLE_EQ(evaluate("1e-3", kFields), 1e-3);
  EXPECT_DOUBLE_EQ(evaluate("2 - 3 - 4", kFields), -5);
  EXPECT_EQ(fill_in("<a b=\"{w} {length/2}\"/>{part}", kFields), "<a b=\"2 0.25\"/><geom size=\"0.5\"/>");
}

TEST(ToolsFormula, says_what_is_wrong) {
  const auto wrong = [](std::string_view formula) { return complaint([&] { (void)evaluate(formula, kFields); }); };
  EXPECT_NE(wrong("width").find("there is no width; there are length, part, round, w"), std::string::npos);
  EXPECT_NE(wrong("(1").find("not closed"), std::string::npos);
  EXPECT_NE(wrong("1 2").find("'2' is not understood"), std::string::npos);
  EXPECT_NE(wrong("").find("ends too soon"), std::string::npos);
  EXPECT_NE(wrong("part").find("is a text"), std::string::npos);
  EXPECT_NE(wrong("1/0").find("not finite"), std::string::npos);
  EXPECT_NE(wrong("tan(1)").find("no function tan"), std::string::npos);
  EXPECT_NE(complaint([] { (void)fill_in("{w", kFields); }).find("not closed"), std::string::npos);
  EXPECT_NE(complaint([] { (void)fill_in("{round}", kFields); }).find("part of itself"), std::string::npos);
}

TEST(ToolsFamily, has_four_of_its_own_with_four_tools_each) {
  const std::vector<Family> families = all_families();
  ASSERT_EQ(families.size(), 4U);
  for (const Family& family : families) {
    EXPECT_EQ(family.tools.instances.size(), 4U);
    for (int tool = 0; tool < 4; ++tool) {
      EXPECT_FALSE(objects_of(family, tool, Pairs::kShown).empty());
      EXPECT_FALSE(objects_of(family, tool, Pairs::kHeldOut).empty());
      for (const int object : objects_of(family, tool, Pairs::kHeldOut)) {
        EXPECT_EQ(std::ranges::count(objects_of(family, tool, Pairs::kShown), object), 0);
      }
    }
  }
  // A wrench goes with a nut that it fits alone.
  EXPECT_TRUE(families[1].fit(0, 0));
  EXPECT_FALSE(families[1].fit(0, 1));
  EXPECT_FALSE(families[1].fit(1, 0));
}

/// A family's text with one thing changed.
std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ToolsFamily, of_a_user_s_is_refused_with_the_place_and_the_reason) {
  const std::string hammer = own_families().front().second;
  const auto wrong = [&](const std::string& from, const std::string& to) {
    return complaint([&] { (void)parse_family("hammer", changed(hammer, from, to), "hammer.toml"); });
  };
  const auto expect = [](const std::string& said, const std::string& part) {
    EXPECT_NE(said.find(part), std::string::npos) << said;
  };
  EXPECT_EQ(wrong("steps", "steps"), "accepted");
  expect(wrong("place = \"head\"", "place = \"nose\""), "hammer.toml:");
  expect(wrong("place = \"head\"", "place = \"nose\""),
         "there is no keypoint of a tool nose; there are head, tail, side");
  expect(wrong("at = [\"top\"]", "at = [\"tip\"]"), "there is no keypoint of an object tip; there are block, top");
  expect(wrong("steps = 70", "step = 70"),
         "there is no steps; expected an integer from 1 to 10000; is it that of line 3");
  expect(wrong("steps = 70", "steps = 70.5"), "hammer.toml:3:9: steps = 70.5: expected an integer");
  expect(wrong("about_y = [1.45, 1.57]", "about_y = [1.57, 1.45]"), "the lower end first");
  expect(wrong("time = 6.4", "time = 4.4"), "later time");
  expect(wrong("above = 0.010", "abve = 0.010"), "success has none of above, below");
  expect(wrong("cosine = 0", "cosine = 2"), "expected -1 to 1");
  expect(wrong("[success]", "[success]\nsince = 1"), "success.since");
  expect(wrong("with = [0, 0, 1]", "with = [0, 1]"), "expected three numbers");
  expect(wrong("acts_at = 6.4", "acts_at = 60"), "up to that of the last frame, 9.4");
  expect(wrong("[3, 2]]", "[3, 4]]"), "objects from 0 to 3");
  expect(wrong("grip = [5, 15]", "radius = [5, 15]"), "expected another name");
  expect(wrong("cosine = 0", ""), "the constraints are 7 equations");
  expect(wrong("x = [-0.01, 0.03]", "x = [nan, 0.03]"), "finite");
  expect(wrong("joint = \"pin\"", "joint = \"pin\"\nrise = \"pin\""), "expected only one of joint, rise, apart");
  // Formulas, for every tool and object.
  expect(wrong("\"centre\"]\ntail", "\"middle\"]\ntail"), "tool.keypoints.head: the formula \"middle\"");
  expect(wrong("width = 0.016\n", ""), "there is no width; there are");
  expect(wrong("{width/2} {height/2}", "{width/2 {height/2}"), "a brace is not closed: {width/2 ");
  expect(wrong("at = [0, 0, \"height\"]", "at = [0, 0, \"height/0\"]"), "not finite (object 0)");
}

TEST(ToolsFamily, of_tools_that_do_not_fit_is_refused_when_it_is_read) {
  Settings settings;
  const auto folder = std::filesystem::temp_directory_path() / "tools_family_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tight.toml") << changed(own_families()[1].second, "across = 0.012\n", "across = 0.015\n");
  settings["data.families"] = {.value = folder.string(), .source = {}};
  SettingsReader reader(settings);
  EXPECT_NE(complaint([&] { (void)suite_entry().make(reader, {}); }).find("tool 0 fits none of the objects"),
            std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(ToolsFamily, of_a_user_s_has_a_name_of_its_own) {
  Settings settings;
  const auto folder = std::filesystem::temp_directory_path() / "tools_family_names_test";
  settings["data.families"] = {.value = folder.string(), .source = {}};
  const auto said = [&](const std::string& name) {
    std::filesystem::create_directories(folder);
    if (!name.empty()) std::ofstream(folder / (name + ".toml")) << own_families().front().second;
    SettingsReader reader(settings);
    const std::string text = complaint([&] { (void)suite_entry().make(reader, {}); });
    std::filesystem::remove_all(folder);
    return text;
  };
  EXPECT_EQ(said("my_hammer"), "accepted");
  EXPECT_NE(said("hammer").find("there is a family hammer already"), std::string::npos);
  EXPECT_NE(said("held-out").find("held-out names a family, and something else"), std::string::npos);
  EXPECT_NE(said("hammer-0").find("hammer-0 names a family, and something else"), std::string::npos);
  EXPECT_NE(said("a,b").find("letters, digits"), std::string::npos);
  EXPECT_NE(said("").find("there is no family in the folder"), std::string::npos);
}

TEST(ToolsFamily, whose_scene_is_refused_is_told_with_the_line_of_the_scene) {
  const Family broken =
      parse_family("hammer", changed(own_families().front().second, "<geom type=\"capsule\"", "<gem"), "hammer.toml");
  Environment environment(0, broken, {});
  const std::string said = complaint([&] { environment.reset(drawn(broken, 1)); });
  EXPECT_NE(said.find("hammer.toml: tool "), std::string::npos) << said;
  EXPECT_NE(said.find("\n  <gem fromto"), std::string::npos) << said;
}

TEST(ToolsFamily, whose_expert_has_no_plan_is_told_why) {
  const std::string hammer = own_families().front().second;
  const auto why = [&](const std::string& from, const std::string& to) {
    const Family family = parse_family("hammer", changed(hammer, from, to), "hammer.toml");
    Environment environment(0, family, {});
    environment.reset(drawn(family, 1));
    std::vector<float> action(kActionSize);
    EXPECT_FALSE(environment.ask_expert(action));
    return environment.why_lost();
  };
  EXPECT_NE(why("offset = [0, 0, 0.002]", "offset = [0, 0, 3]").find("misses constraints.0 (place) by "),
            std::string::npos);
  EXPECT_NE(why("up = 0.06", "up = 1").find("does not reach the frame at 4.48 s"), std::string::npos);
  EXPECT_NE(why("offset = [0, 0, 0.002]", "offset = [0, 0, -0.02]").find("would touch something"), std::string::npos);
}

TEST(ToolsFamily, with_a_body_that_its_scene_lacks_is_refused_before_anything_runs) {
  const Family broken =
      parse_family("hammer", changed(own_families().front().second, "body = \"pin\"", "body = \"pen\""), "hammer.toml");
  Environment environment(0, broken, {});
  EXPECT_NE(complaint([&] { environment.reset(drawn(broken, 1)); }).find("the scene has no body pen"),
            std::string::npos);
}

}  // namespace
}  // namespace fleet::tools
