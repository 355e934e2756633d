#include "images/world.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr std::array kStems = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                               "t10k-labels-idx1-ubyte"};

std::string idx(const std::vector<unsigned>& shape, const std::string& body) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const unsigned extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  return bytes + body;
}

/// 40 training images and 20 of the test, of 3 x 2 pixels, in a directory of this rank's own.
class MnistTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CACHE_HOME", (scratch_.path() / "cache").c_str(), 1);
    fs::create_directory(data_);
    for (const auto& [half, count] : {std::pair(0U, 40U), std::pair(2U, 20U)}) {
      std::string labels;
      std::string images;
      for (unsigned i = 0; i < count; ++i) {
        labels += static_cast<char>(i % 10);
        for (unsigned p = 0; p < 6; ++p) images += static_cast<char>(31 * i + 7 * p);
      }
      Scratch::write(data_ / kStems[half], idx({count, 3, 2}, images));
      Scratch::write(data_ / kStems[half + 1], idx({count}, labels));
    }
  }

  static Settings settings_of(std::vector<std::pair<std::string, Value>> values) {
    Settings settings;
    for (const auto& [key, value] : values) settings[key] = {.value = value, .source = {"sweep.toml", 7, 3}};
    return settings;
  }
  [[nodiscard]] Settings cell(std::vector<std::pair<std::string, Value>> values = {}) const {
    values.emplace_back("run.data", data_.string());
    return settings_of(values);
  }
  /// By a world that has seen nothing yet.
  static CellFacts describe(const Settings& settings) {
    SettingsReader reader(settings);
    return mnist_world().make()->describe(reader);
  }
  static std::string complaint(const Settings& settings) {
    try {
      (void)describe(settings);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "described";
  }
  void expect_rejects_data(const std::string& part) const {
    const std::string said = complaint(cell());
    EXPECT_TRUE(said.starts_with("sweep.toml:7:3: run.data = \"" + data_.string() + "\": ")) << said;
    EXPECT_NE(said.find(part), std::string::npos) << said;
    EXPECT_NE(said.find("fleet data fetch mnist"), std::string::npos) << said;
  }
  /// Writes a file that differs in one byte.
  void change(std::size_t file, std::size_t at, char to) const {
    std::string bytes = Scratch::read(data_ / kStems[file]);
    bytes[at] = to;
    Scratch::write(data_ / kStems[file], bytes);
  }

  Comm world_ = MpiSession::world();
  Scratch scratch_;
  fs::path data_ = scratch_.path() / "data";
};

TEST_F(MnistTest, any_byte_of_any_file_is_part_of_what_the_data_are) {
  const std::string data = describe(cell()).data;
  for (std::size_t file = 0; file < kStems.size(); ++file) {
    const std::string whole = Scratch::read(data_ / kStems[file]);
    const std::size_t header = file % 2 == 0 ? 16 : 8;
    for (const std::size_t at : {header, header + 7, whole.size() - 1}) {
      change(file, at, static_cast<char>(whole[at] ^ 1));
      EXPECT_NE(describe(cell()).data, data) << kStems[file] << " at " << at;
      Scratch::write(data_ / kStems[file], whole);
    }
  }
  EXPECT_EQ(describe(cell()).data, data);
}

TEST_F(MnistTest, labels_of_qmnist_are_the_first_column_of_a_table) {
  for (const auto& [half, name, count] : {std::tuple(0U, "train", 40U), std::tuple(2U, "test", 20U)}) {
    fs::rename(data_ / kStems[half], data_ / cat("qmnist-", name, "-images-idx3-ubyte"));
    std::string table = idx({count, 2}, "");
    table[2] = '\x0c';
    for (unsigned i = 0; i < count; ++i) table += {0, 0, 0, static_cast<char>(i % 10), 0, 0, 7, static_cast<char>(i)};
    Scratch::write(data_ / cat("qmnist-", name, "-labels-idx2-int"), table);
  }
  const std::string data = describe(cell({{"data.dataset", "qmnist"}})).data;
  const fs::path labels = data_ / "qmnist-train-labels-idx2-int";
  std::string table = Scratch::read(labels);
  table[table.size() - 1] ^= 1;  // another writer
  Scratch::write(labels, table);
  EXPECT_EQ(describe(cell({{"data.dataset", "qmnist"}})).data, data);
  table[table.size() - 5] ^= 1;  // another class
  Scratch::write(labels, table);
  EXPECT_NE(describe(cell({{"data.dataset", "qmnist"}})).data, data);
}

TEST_F(MnistTest, files_that_change_places_are_other_data) {
  fs::copy_file(data_ / kStems[0], data_ / kStems[2], fs::copy_options::overwrite_existing);
  fs::copy_file(data_ / kStems[1], data_ / kStems[3], fs::copy_options::overwrite_existing);
  std::string other = Scratch::read(data_ / kStems[0]);
  other.back() ^= 1;
  Scratch::write(data_ / kStems[2], other);
  const std::string data = describe(cell()).data;
  fs::rename(data_ / kStems[0], data_ / "aside");
  fs::rename(data_ / kStems[2], data_ / kStems[0]);
  fs::rename(data_ / "aside", data_ / kStems[2]);
  EXPECT_NE(describe(cell()).data, data);
}

TEST_F(MnistTest, a_copy_elsewhere_compressed_or_touched_is_the_same_data) {
  const std::string data = describe(cell()).data;
  fs::copy(data_, scratch_.path() / "copy");
  data_ = scratch_.path() / "copy";
  EXPECT_EQ(describe(cell()).data, data);
  for (const char* stem : kStems) {
    const std::string bytes = Scratch::read(data_ / stem);
    fs::remove(data_ / stem);
    gzFile file = gzopen((data_ / (std::string(stem) + ".gz")).c_str(), "wb");
    EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    EXPECT_EQ(gzclose(file), Z_OK);
    EXPECT_EQ(describe(cell()).data, data);
  }
  for (const auto& entry : fs::directory_iterator(data_)) {
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(1000));
  }
  EXPECT_EQ(describe(cell()).data, data);
}

TEST_F(MnistTest, damage_is_found_before_anything_runs) {
  for (std::size_t file = 0; file < kStems.size(); ++file) {
    const std::string whole = Scratch::read(data_ / kStems[file]);
    for (const std::size_t length : {whole.size() - 1, whole.size() / 2, std::size_t{3}, std::size_t{0}}) {
      Scratch::write(data_ / kStems[file], whole.substr(0, length));
      expect_rejects_data(kStems[file]);
    }
    Scratch::write(data_ / kStems[file], whole + "x");
    expect_rejects_data("trailing bytes");
    Scratch::write(data_ / kStems[file], whole);
  }
  EXPECT_EQ(complaint(cell()), "described");
}

TEST_F(MnistTest, labels_that_are_no_class_are_found_before_anything_runs) {
  change(1, 8 + 17, 10);
  expect_rejects_data("the training labels hold a label 10");
  change(1, 8 + 17, 9);
  change(3, 8 + 5, '\xff');
  expect_rejects_data("the test labels hold a label 255");
}

TEST_F(MnistTest, files_that_do_not_go_together_are_refused) {
  Scratch::write(data_ / kStems[1], idx({39}, std::string(39, '\1')));
  expect_rejects_data("not as many labels as images");
  Scratch::write(data_ / kStems[1], idx({40}, std::string(40, '\1')));
  Scratch::write(data_ / kStems[2], idx({20, 2, 3}, std::string(120, 'x')));
  expect_rejects_data("training images are 3 x 2, test images 2 x 3");
}

TEST_F(MnistTest, images_larger_than_any_network_takes_are_refused_unread) {
  for (const std::size_t file : {0U, 2U}) Scratch::write(data_ / kStems[file], idx({1, 65536, 65536}, "few"));
  expect_rejects_data("truncated payload: found 3 bytes, expected 4294967296 (1 x 65536 x 65536)");
  for (const std::size_t file : {0U, 2U}) {
    Scratch::write(data_ / kStems[file], idx({1, 4097, 4096}, std::string(4097 * 4096, 'x')));
    Scratch::write(data_ / kStems[file + 1], idx({1}, "\1"));
  }
  expect_rejects_data("images are 4097 x 4096, expected at most 16777216 pixels");
}

TEST_F(MnistTest, where_nobody_has_named_the_data_their_place_is_told) {
  const std::string said = complaint(settings_of({}));
  EXPECT_TRUE(said.starts_with("data/mnist: no such file")) << said;
  EXPECT_NE(said.find("fleet data fetch mnist"), std::string::npos);
}

TEST_F(MnistTest, there_is_a_sample_for_every_robot_or_the_setting_is_refused) {
  for (const std::string kind : {"mixture", "per-class", "iid"}) {
    const auto of = [&](std::int64_t robots, std::int64_t samples, double held_out) {
      return complaint(cell({{"fleet.robots", robots},
                             {"fleet.partition", kind},
                             {"data.samples", samples},
                             {"data.held_out", held_out}}));
    };
    EXPECT_EQ(of(40, 0, 0.0), "described");
    EXPECT_TRUE(of(41, 0, 0.0).starts_with("sweep.toml:7:3: fleet.robots = 41: there are 40 training images in "));
    EXPECT_NE(of(1000, 0, 0.0).find("expected at most 40 robots"), std::string::npos);
    EXPECT_EQ(of(30, 0, 0.25), "described");  // one of each class's four is held out
    EXPECT_NE(of(31, 0, 0.25).find("of which 10 are held out: expected at most 30"), std::string::npos);
    EXPECT_EQ(of(3, 3, 0.0), "described");
    EXPECT_TRUE(of(3, 1, 0.0).starts_with("sweep.toml:7:3: data.samples = 1: 3 robots (fleet.robots) share out 1 "));
    EXPECT_TRUE(of(5, 41, 0.0).starts_with("sweep.toml:7:3: data.samples = 41: there are 40 training images"));
  }
}

TEST_F(MnistTest, what_is_held_out_is_none_where_no_robot_gets_any) {
  const auto held_out = [&](const char* kind, double share) {
    return describe(cell({{"fleet.robots", std::int64_t{11}},
                          {"fleet.partition", std::string(kind)},
                          {"data.held_out", share}}))
        .held_out;
  };
  EXPECT_FALSE(held_out("mixture", 0.0));
  EXPECT_FALSE(held_out("mixture", 0.25)) << "ten samples for eleven robots";
  EXPECT_TRUE(held_out("iid", 0.25));
  EXPECT_TRUE(held_out("mixture", 0.5));
}

TEST_F(MnistTest, data_that_have_changed_since_they_were_planned_are_not_learned) {
  for (std::size_t file = 0; file < kStems.size(); ++file) {
    const Settings settings = cell();
    const std::unique_ptr<World> mnist = mnist_world().make();
    SettingsReader reader(settings);
    (void)mnist->describe(reader);
    const std::string whole = Scratch::read(data_ / kStems[file]);
    change(file, whole.size() - 1, static_cast<char>(whole.back() ^ 1));
    const Settings* const cells[] = {&settings};
    mnist->load(cells, world_);
    try {
      (void)mnist->make(settings);
      FAIL() << "made of " << kStems[file];
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("has changed since the sweep was planned"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(kStems[file]), std::string::npos);
    }
    Scratch::write(data_ / kStems[file], whole);
  }
}

}  // namespace
}  // namespace fleet
