#include "io/toml.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/error.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// The message of the ConfigError that `act` throws.
template <class Act>
std::string config_complaint(Act act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

std::string parse_complaint(std::string_view text) {
  return config_complaint([&] { (void)parse_toml(text, "a.toml"); });
}

Value integer(std::int64_t value) {
  return value;
}
Value text(const char* value) {
  return std::string(value);
}

class TomlFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "toml_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const std::string& content) const {
    fs::path path = directory_ / "a.toml";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  fs::path directory_;
};

TEST(Toml, settings_written_as_text_read_back_the_same) {
  Settings settings;
  settings["b"].value = true;
  settings["i"].value = integer(-3);
  settings["t.d"].value = 1e-12;
  settings["t.large"].value = 1e300;
  settings["t.whole"].value = 2.0;
  settings["t.u.s"].value = text("a\"b\\ größe");
  settings["t.u.empty"].value = text("");
  settings["l"].value = Value::List{integer(1), Value(0.5), text("x"), Value(Value::List{integer(2)})};
  settings["none"].value = Value::List{};
  EXPECT_EQ(to_text(parse_toml(to_text(settings), "a.toml")), to_text(settings));
}

TEST(Toml, texts_with_control_characters_read_back_the_same) {
  Settings settings;
  settings["s"].value = text("two\nlines\twith a tab\r\x01\x7f");
  std::string back;
  EXPECT_EQ(config_complaint([&] { back = to_text(parse_toml(to_text(settings), "a.toml")); }), "accepted");
  EXPECT_EQ(back, to_text(settings));
}

TEST(Toml, tables_become_dotted_keys) {
  const Settings settings = parse_toml(
      "seed = 1\nmerge.method = \"average\"\n[fleet]\nalpha = 0.5\n"
      "data.limits = { low = 1, high = 2 }\n[a.b]\nc.d = true\n",
      "a.toml");
  EXPECT_EQ(to_text(settings),
            "a.b.c.d = true\nfleet.alpha = 0.5\nfleet.data.limits.high = 2\nfleet.data.limits.low = 1\n"
            "merge.method = \"average\"\nseed = 1\n");
}

TEST(Toml, values_keep_their_types) {
  const Settings settings =
      parse_toml("b = false\ni = 1_000\nd = 1.0\ns = 'C:\\path'\nl = [1, 2.0, [\"x\"]]\n", "a.toml");
  EXPECT_EQ(settings.at("b").value, Value(false));
  EXPECT_EQ(settings.at("i").value, integer(1000));
  EXPECT_EQ(settings.at("d").value, Value(1.0));
  EXPECT_EQ(settings.at("s").value, text("C:\\path"));
  EXPECT_EQ(settings.at("l").value, Value(Value::List{integer(1), Value(2.0), Value(Value::List{text("x")})}));
}

TEST(Toml, an_array_of_tables_becomes_numbered_keys) {
  const Settings settings =
      parse_toml("[[sweep.zip]]\nfleet.robots = [1, 2]\nseed = [3, 4]\n[[sweep.zip]]\nx = [5]\n", "a.toml");
  EXPECT_EQ(to_text(settings), "sweep.zip.0.fleet.robots = [1, 2]\nsweep.zip.0.seed = [3, 4]\nsweep.zip.1.x = [5]\n");
}

TEST(Toml, settings_know_file_line_and_column) {
  const Settings settings = parse_toml("# comment\nseed = 1\n\n[fleet]\n  alpha = 0.5\n[[z]]\nx = [5]\n", "dir/a.toml");
  EXPECT_EQ(settings.at("seed").source.to_string(), "dir/a.toml:2:8");
  EXPECT_EQ(settings.at("fleet.alpha").source.to_string(), "dir/a.toml:5:11");
  EXPECT_EQ(settings.at("z.0.x").source.to_string(), "dir/a.toml:7:5");
}

TEST(Toml, an_empty_text_has_no_settings) {
  EXPECT_TRUE(parse_toml("", "a.toml").empty());
  EXPECT_TRUE(parse_toml("# nothing\n[fleet]\n", "a.toml").empty());
}

TEST(Toml, a_syntax_error_names_file_line_and_column) {
  const std::string message = parse_complaint("seed = 1\nalpha = = 2\n");
  EXPECT_EQ(message.find("a.toml:2:9: "), 0U) << message;
  EXPECT_EQ(parse_complaint("[fleet\n").find("a.toml:1:7: "), 0U) << parse_complaint("[fleet\n");
  EXPECT_EQ(parse_complaint("a = 1\nb = 2\na = 3\n").find("a.toml:3:"), 0U) << "a key twice";
  EXPECT_EQ(parse_complaint("s = \"open\n").find("a.toml:1:"), 0U);
  EXPECT_EQ(parse_complaint("s = \"\xff\"\n").find("a.toml:1:"), 0U) << "not UTF-8";
}

TEST(Toml, what_beginners_write_is_told_how_to_be_right) {
  const std::string bare = parse_complaint("workload = mnist\n");
  EXPECT_EQ(bare.find("a.toml:1:"), 0U) << bare;
  EXPECT_NE(bare.find("texts need quotes: workload = \"mnist\""), std::string::npos) << bare;
  const std::string apart = parse_complaint("[fleet]\nrobots = 3\n[merge]\n[fleet]\n");
  EXPECT_EQ(apart.find("a.toml:4:"), 0U) << apart;
  EXPECT_NE(apart.find("a table's keys stand together"), std::string::npos) << apart;
  const std::string other = parse_complaint("alpha = [1, 2\n");
  EXPECT_EQ(other.find("quotes"), std::string::npos) << other;
}

TEST(Toml, a_key_given_twice_is_refused_with_both_places) {
  for (const char* twice : {"\"fleet.robots\" = 5\n[fleet]\nrobots = 3\n", "fleet.\"a.b\" = 5\n[fleet.a]\nb = 3\n",
                            "sweep.grid.\"merge.method\" = [5]\n[sweep.grid.merge]\nmethod = [5]\n",
                            "\"sweep.zip.0.seed\" = [5]\n[[sweep.zip]]\nseed = [3]\n", "'x.y' = 5\n[x]\ny = 3\n"}) {
    const std::string message = parse_complaint(twice);
    EXPECT_NE(message.find("a.toml:1:"), std::string::npos) << message;
    EXPECT_NE(message.find("a.toml:3:"), std::string::npos) << message;
    EXPECT_NE(message.find("given twice"), std::string::npos) << message;
  }
}

TEST(Toml, a_value_beside_a_table_of_its_name_is_refused_with_both_places) {
  const std::string message = parse_complaint("\"fleet.a\" = 5\nfleet.a-b = 2\n[fleet.a]\nb = 3\n");
  EXPECT_NE(message.find("a.toml:1:13: fleet.a = 5"), std::string::npos) << message;
  EXPECT_NE(message.find("a.toml:4:5 gives fleet.a.b"), std::string::npos) << message;
  EXPECT_EQ(parse_complaint("a-b = 1\na.c = 2\na_b = 3\n"), "accepted") << "names that begin alike";
}

TEST(Toml, keys_and_values_too_deep_are_refused_where_they_stand) {
  const auto repeated = [](const std::string& part, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += part;
    return all;
  };
  for (const int depth : {100, 100'000}) {
    for (const std::string& key :
         {repeated("a.", depth) + "a = 1", repeated("a . ", depth) + "a = 1", repeated("\"a=[\".", depth) + "a = 1",
          repeated("'a\"'.", depth) + "a = 1", "[" + repeated("a.", depth) + "a]\nx = 1",
          "[[" + repeated("a.", depth) + "a]]\nx = 1", "x = { y = 1, " + repeated("a.", depth) + "a = 1 }",
          "x = \"\"\"\\\"\"\"\"\n" + repeated("a.", depth) + "a = 1",
          "x = { y = \"\"\"s\"\"\"\", " + repeated("a.", depth) + "a = 1 }"}) {
      const std::string message = parse_complaint("s = 'it is # \" no comment' # \" 'a comment\n" + key);
      EXPECT_NE(message.find(": a key of more than 17 parts"), std::string::npos) << message.substr(0, 200);
      EXPECT_EQ(message.find("a.toml:"), 0U) << message.substr(0, 200);
    }
    EXPECT_NE(config_complaint([&] { (void)parse_override("x={" + repeated("a.", depth) + "a = 1}"); }), "accepted");
  }
  for (const char* bracket : {"[", "{a="}) {
    EXPECT_EQ(parse_complaint("x = " + repeated(bracket, 100'000)).find("a.toml:1:"), 0U);
  }
}

TEST(Toml, dots_that_are_in_no_key_count_for_nothing) {
  const std::string many(200, '.');
  std::string numbers = "l = [";
  for (int i = 0; i < 200; ++i) numbers += "1.0, ";
  for (const std::string& fine : {"s = \"" + many + "\"", "s = '" + many + "'", "s = \"\"\"\n" + many + "\"\"\"",
                                  "s = '''\n" + many + "'''", "# " + many, numbers + "]"}) {
    EXPECT_EQ(parse_complaint(fine), "accepted") << fine;
  }
}

TEST(Toml, a_number_that_double_precision_does_not_have_is_refused_where_it_stands) {
  const std::string tiny = "0." + std::string(330, '0') + "1";
  for (const std::string& number : {std::string("1e-400"), std::string("-2.5E-3_30"), std::string("+1e-400"), tiny}) {
    const std::string said = parse_complaint("a = 1.0\nb = [0.0, " + number + "]\n");
    EXPECT_EQ(said.find("a.toml:2:11: " + number), 0U) << said;
    EXPECT_NE(config_complaint([&] { (void)parse_override("x=" + number); }), "accepted") << number;
  }
  const Settings kept = parse_toml(
      "a = 5e-324\nb = 0e-400\nc = \"1e-400\"\nd = -0.0 # 1e-400\ne = 1.7976931348623157e308\nx1e-400 = 1\n", "a.toml");
  EXPECT_EQ(kept.at("a").value, Value(5e-324));
  EXPECT_EQ(kept.at("b").value, Value(0.0));
  EXPECT_EQ(kept.at("c").value, text("1e-400"));
  EXPECT_EQ(kept.at("e").value, Value(1.7976931348623157e308));
  EXPECT_EQ(kept.at("x1e-400").value, integer(1));
}

TEST(Toml, a_string_holds_no_zero_character) {
  EXPECT_EQ(parse_complaint("a = 1\ns = \"b\\u0000c\"").find("a.toml:2:5: s: "), 0U);
}

TEST(Toml, a_date_is_refused_with_place_and_key) {
  EXPECT_EQ(
      parse_complaint("[fleet]\nstart = 2030-01-02\n"),
      "a.toml:2:9: fleet.start: expected a boolean, a number, a string or a list; a date or a time is written as a "
      "string, in quotes");
  for (const char* value : {"07:32:00", "2030-01-02T07:32:00Z", "[1, 2030-01-02]", "[{ x = 1 }, 2]"}) {
    const std::string message = parse_complaint(cat("start = ", value));
    EXPECT_EQ(message.find("a.toml:1:"), 0U) << message;
    EXPECT_NE(message.find(": start: expected"), std::string::npos) << message;
  }
}

TEST_F(TomlFileTest, a_file_reads_as_its_text) {
  const std::string content = "[fleet]\r\nalpha = 0.5\r\n# größe\r\n";
  const fs::path path = write(content);
  const Settings settings = read_toml(path);
  EXPECT_EQ(to_text(settings), to_text(parse_toml(content, "")));
  EXPECT_EQ(settings.at("fleet.alpha").source.file, path.string());
}

TEST_F(TomlFileTest, an_empty_file_has_no_settings) {
  const fs::path path = write("");
  Settings settings;
  EXPECT_EQ(config_complaint([&] { settings = read_toml(path); }), "accepted");
  EXPECT_TRUE(settings.empty());
}

TEST_F(TomlFileTest, a_syntax_error_in_a_file_names_it) {
  const fs::path path = write("a = \n");
  const std::string message = config_complaint([&] { (void)read_toml(path); });
  EXPECT_EQ(message.find(path.string() + ":1:"), 0U) << message;
}

TEST_F(TomlFileTest, a_file_far_too_large_is_no_configuration) {
  for (const fs::path& path : {write("# " + std::string(std::size_t{9} << 20U, 'x')), fs::path("/dev/zero")}) {
    const std::string message = config_complaint([&] { (void)read_toml(path); });
    EXPECT_EQ(message.find(path.string() + " is no configuration"), 0U) << message;
  }
}

TEST_F(TomlFileTest, a_file_that_cannot_be_read_is_named) {
  const fs::path plain = write("a = 1\n");
  for (const fs::path& path : {directory_ / "absent.toml", directory_, plain / "below.toml"}) {
    const std::string message = config_complaint([&] { (void)read_toml(path); });
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  }
}

TEST(Override, values_are_numbers_texts_and_lists_as_in_a_file) {
  const auto value = [](std::string_view argument) { return parse_override(argument).second.value; };
  EXPECT_EQ(value("seed=3"), integer(3));
  EXPECT_EQ(value("seed=-3"), integer(-3));
  EXPECT_EQ(value("fleet.alpha=1e-3"), Value(1e-3));
  EXPECT_EQ(value("fleet.alpha= 0.5"), Value(0.5));
  EXPECT_EQ(value("keep=true"), Value(true));
  EXPECT_EQ(value("name=\"quoted\""), text("quoted"));
  EXPECT_EQ(value("model.hidden=[8, 4]"), Value(Value::List{integer(8), integer(4)}));
  EXPECT_EQ(value("sweep.grid.m=[\"a\", \"b\"]"), Value(Value::List{text("a"), text("b")}));
}

TEST(Override, what_is_not_toml_is_a_text) {
  const auto value = [](std::string_view argument) { return parse_override(argument).second.value; };
  EXPECT_EQ(value("merge.method=fleet-merge"), text("fleet-merge"));
  EXPECT_EQ(value("run.output=/data/a b"), text("/data/a b"));
  EXPECT_EQ(value("name="), text(""));
  EXPECT_EQ(value("name=a=b"), text("a=b"));
  EXPECT_EQ(value("l=[1, 2"), text("[1, 2"));
}

TEST(Override, key_and_source_are_told) {
  const auto [key, setting] = parse_override("fleet.alpha=0.5");
  EXPECT_EQ(key, "fleet.alpha");
  EXPECT_EQ(setting.source.to_string(), "--set");
}

TEST(Override, without_key_or_equals_sign_it_is_refused) {
  for (const char* argument : {"seed", "=3", ""}) {
    const std::string message = config_complaint([&] { (void)parse_override(argument); });
    EXPECT_NE(message.find(cat("--set ", argument)), std::string::npos) << message;
    EXPECT_NE(message.find("key=value"), std::string::npos) << message;
  }
}

TEST(Override, a_date_or_a_time_is_a_text_as_other_words_are) {
  const auto value = [](std::string_view argument) { return parse_override(argument).second.value; };
  for (const char* word : {"2030-01-02", "07:32:00", "2030-01-02T07:32:00Z", "2030-01-02 07:32:00"}) {
    EXPECT_EQ(value(cat("run.output=", word)), text(word));
  }
  const std::string message = config_complaint([] { (void)parse_override("x=[2030-01-02]"); });
  EXPECT_NE(message.find("--set: x: expected"), std::string::npos) << message;
  EXPECT_NE(message.find("in quotes"), std::string::npos) << message;
}

TEST(Override, nothing_of_an_argument_is_left_out) {
  const auto value = [](std::string_view argument) { return parse_override(argument).second.value; };
  EXPECT_EQ(value("seed=3\nfleet.robots=5"), text("3\nfleet.robots=5"));
  EXPECT_EQ(value("run.output=3#4"), text("3#4"));
  EXPECT_EQ(value("run.output=\"3#4\""), text("3#4"));
}

}  // namespace
}  // namespace fleet
