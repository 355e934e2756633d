#include "io/stored_weights.hpp"

#include <gtest/gtest.h>

#include <array>

#include "base/error.hpp"
#include "io/results.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<ParamLayout> layout(std::int64_t units) {
  auto tensors = std::make_shared<ParamLayout>();
  tensors->add("layers.0.weight", {units, 2});
  tensors->add("layers.0.bias", {units});
  return tensors;
}

class StoredWeightsTest : public testing::Test {
 protected:
  /// A cell's file; its weights count up from `first`.
  fs::path write(const std::string& id, float first, bool with_weights = true) const {
    ParamVector weights(layout(3));
    for (float& w : weights.flat()) w = first++;
    const Settings settings{{"model.hidden", {Value(Value::List{Value(std::int64_t{3})}), {}}},
                            {"run.data", {Value(std::string("a \"quoted\"\\path")), {}}},
                            {"seed", {Value(static_cast<std::int64_t>(first)), {}}}};
    CellRecord cell{.id = id, .settings = settings};
    if (with_weights) cell.merged = &weights;
    const fs::path file = scratch_.path() / (id + ".h5");
    const Provenance provenance{{"fleet_version", ""}, {"git_revision", ""}, {"mpi", ""},   {"libtorch", ""},
                                {"hdf5", ""},          {"blas", ""},         {"hosts", ""}, {"command_line", ""},
                                {"started", ""},       {"finished", ""}};
    write_cell_file(file, "sweep", "", cell, provenance);
    return file;
  }
  fs::path join(const std::vector<fs::path>& files) const {
    join_cell_files(files, "", {}, scratch_.path() / "joined.h5");
    return scratch_.path() / "joined.h5";
  }
  template <class Act>
  static std::string complaint(Act act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }

  Scratch scratch_;
};

TEST_F(StoredWeightsTest, come_back_with_their_settings_from_a_cell_and_from_a_sweep) {
  const fs::path a = write("a", 10.0F);
  const fs::path joined = join({write("none", 0.0F, false), a, write("b", 20.0F)});
  for (const fs::path& file : {a, joined}) {
    const StoredWeights stored = read_weights(file, "a");
    const ParamVector weights = stored.arrange(layout(3));
    for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(weights.flat()[i], 10.0F + static_cast<float>(i));
    EXPECT_EQ(std::get<std::string>(stored.settings.at("run.data").value.data), "a \"quoted\"\\path");
    EXPECT_EQ(stored.settings.at("model.hidden").value.to_string(), "[3]");
    EXPECT_EQ(stored.settings.at("seed").value.to_string(), "19");
  }
  EXPECT_EQ(read_weights(joined, "b").settings.at("seed").value.to_string(), "29");
  EXPECT_EQ(read_weights(a, "").tensors.size(), 2U) << "the only cell need not be named";
}

TEST_F(StoredWeightsTest, what_is_missing_is_named_with_what_there_is) {
  const fs::path joined = join({write("none", 0.0F, false), write("a", 1.0F), write("b", 2.0F)});
  EXPECT_NE(complaint([&] { (void)read_weights(joined, ""); }).find("name one: a, b"), std::string::npos);
  EXPECT_NE(complaint([&] { (void)read_weights(joined, "none"); }).find("there are of a, b"), std::string::npos);
  EXPECT_NE(complaint([&] { (void)read_weights(scratch_.path() / "none.h5", ""); }).find("run.save_weights"),
            std::string::npos);
  EXPECT_NE(complaint([&] { (void)read_weights(scratch_.path() / "absent.h5", ""); }).find("absent.h5"),
            std::string::npos);
}

TEST_F(StoredWeightsTest, weights_of_another_network_are_refused) {
  const StoredWeights stored = read_weights(write("a", 1.0F), "");
  EXPECT_NE(complaint([&] { (void)stored.arrange(layout(4)); }).find("layers.0.weight is 3 x 2; its network has 4 x 2"),
            std::string::npos);
  auto larger = layout(3);
  larger->add("layers.1.weight", {1, 3});
  EXPECT_NE(complaint([&] { (void)stored.arrange(larger); }).find("lack layers.1.weight"), std::string::npos);
}

}  // namespace
}  // namespace fleet
