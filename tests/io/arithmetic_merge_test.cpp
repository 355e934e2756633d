// Models spread over files are merged piece by piece to the same bytes on any number of ranks, each tensor in its type;
// what does not go together is refused by name.
#include "io/arithmetic_merge.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "base/random.hpp"
#include "complaint.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

const std::vector<StoredTensor> kFirst{{"a.weight", NumberType::kBF16, {1500, 2000}},
                                       {"a.steps", NumberType::kI64, {2}}};
const std::vector<StoredTensor> kSecond{
    {"b.weight", NumberType::kF16, {7, 3}}, {"b.scale", NumberType::kF64, {}}, {"b.bias", NumberType::kF32, {5}}};

void fill(SafetensorsWriter& writer, std::uint64_t seed, std::int64_t steps, bool squares = false) {
  for (const StoredTensor& tensor : writer.tensors()) {
    if (!is_real(tensor.type)) {
      const std::vector<std::int64_t> values{steps, 4};
      writer.write(tensor, 0, std::as_bytes(std::span(values)));
      continue;
    }
    RandomStream stream(seed, Purpose::kTest, tensor.elements());
    std::vector<float> values(tensor.elements());
    for (float& value : values) {
      value = static_cast<float>(stream.normal());
      if (squares) value *= value;
    }
    writer.write(tensor, values);
  }
  writer.commit();
}

/// On all ranks; the root makes the files.
class ArithmeticMergeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path;
    comm_.together([&] {
      if (!comm_.is_root()) return;
      scratch_ = std::make_unique<Scratch>();
      path = scratch_->path().string();
      make_model("one", 1, 10);
      make_model("two", 2, 20);
      make_model("three", 3, 10);
      make_model("squares", 4, 10, true);
    });
    comm_.broadcast(path);
    folder_ = path;
  }
  void TearDown() override { comm_.barrier(); }

  void make_model(const std::string& name, std::uint64_t seed, std::int64_t steps, bool squares = false) const {
    const fs::path folder = scratch_->path() / name;
    fs::create_directory(folder);
    SafetensorsWriter first(folder / "model-00001-of-00002.safetensors", kFirst, {{"format", "pt"}});
    fill(first, seed, steps, squares);
    SafetensorsWriter second(folder / "model-00002-of-00002.safetensors", kSecond, {{"format", "pt"}});
    fill(second, seed + 100, steps, squares);
    Scratch::write(folder / "model.safetensors.index.json",
                   R"({"metadata":{"total_size":1},"weight_map":{"a.weight":"model-00001-of-00002.safetensors",)"
                   R"("a.steps":"model-00001-of-00002.safetensors","b.weight":"model-00002-of-00002.safetensors",)"
                   R"("b.scale":"model-00002-of-00002.safetensors","b.bias":"model-00002-of-00002.safetensors"}})");
    Scratch::write(folder / "config.json", R"({"type": "act"})");
  }

  [[nodiscard]] std::vector<WeightFiles> open(const std::vector<std::string>& names) const {
    std::vector<WeightFiles> models;
    for (const std::string& name : names) models.emplace_back(folder_ / name);
    return models;
  }

  MergeReport merge(const ArithmeticMerge& how, const std::vector<WeightFiles>& models, const std::string& target,
                    const Comm& comm) const {
    check_arithmetic(how, models);
    return merge_arithmetic(how, models, folder_ / target, {{"fleet.made_by", "a test"}}, comm);
  }

  static std::vector<float> floats(const WeightFiles& model, const std::string& name) {
    std::vector<float> values(model.find(name)->elements());
    model.file_of(name).read(*model.find(name), values);
    return values;
  }

  Comm comm_ = MpiSession::world();
  std::unique_ptr<Scratch> scratch_;
  fs::path folder_;
};

TEST_F(ArithmeticMergeTest, every_method_gives_the_same_bytes_on_any_number_of_ranks) {
  const std::vector<WeightFiles> models = open({"one", "two"});
  const WeightFiles base(folder_ / "three");
  const std::vector<WeightFiles> diagonals = open({"squares", "squares"});
  const Comm alone = comm_.split(comm_.rank());
  for (const auto& [name, method] : kArithmetics) {
    ArithmeticMerge how{.method = method, .weights = {1.0, 3.0}, .shares = {{"a.*", 0.25}, {"*", 0.5}}, .density = 0.3};
    if (needs_base(method)) how.base = &base;
    if (method == Arithmetic::kFisher) how.fisher = {diagonals.data(), &diagonals[1]};
    const std::string together = cat(name, "-together");
    merge(how, models, together, comm_);
    const std::string own = cat(name, "-alone-", comm_.rank());
    merge(how, models, own, alone);
    for (const char* file : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
      EXPECT_EQ(Scratch::read(folder_ / together / file), Scratch::read(folder_ / own / file)) << name << file;
    }
  }
}

TEST_F(ArithmeticMergeTest, what_is_written_is_laid_out_as_the_first_model) {
  const std::vector<WeightFiles> models = open({"one", "two"});
  const MergeReport report = merge({.weights = {1.0, 3.0}}, models, "merged", comm_);
  EXPECT_EQ(report.from_first, std::vector<std::string>{"a.steps"});
  EXPECT_EQ(report.bytes_written, 1500U * 2000 * 2 + 16 + 42 + 8 + 20);
  const WeightFiles merged(folder_ / "merged");
  ASSERT_NO_THROW(require_same_tensors(models[0], merged));
  for (const auto& [name, place] : models[0].places()) EXPECT_EQ(merged.find(name)->type, models[0].find(name)->type);
  EXPECT_EQ(merged.files()[0].metadata().at("format"), "pt");
  EXPECT_EQ(Scratch::read(folder_ / "merged" / "config.json"), R"({"type": "act"})");
  EXPECT_EQ(Scratch::read(folder_ / "merged" / "model.safetensors.index.json"),
            Scratch::read(folder_ / "one" / "model.safetensors.index.json"));
  for (const std::string name : {"a.weight", "b.weight", "b.scale", "b.bias"}) {
    const std::vector<float> one = floats(models[0], name);
    const std::vector<float> two = floats(models[1], name);
    const std::vector<float> mean = floats(merged, name);
    for (std::size_t k = 0; k < mean.size(); ++k) {
      const float expected = 0.25F * one[k] + 0.75F * two[k];
      ASSERT_NEAR(mean[k], expected, 0.005 * std::abs(expected) + 1e-4) << name;
    }
  }
}

TEST_F(ArithmeticMergeTest, shares_go_by_the_first_pattern_that_fits) {
  const std::vector<WeightFiles> models = open({"one", "two"});
  merge({.method = Arithmetic::kInterpolate, .shares = {{"b.*", 1.0}, {"*", 0.0}}}, models, "mixed", comm_);
  const WeightFiles mixed(folder_ / "mixed");
  EXPECT_EQ(floats(mixed, "a.weight"), floats(models[0], "a.weight"));
  EXPECT_EQ(floats(mixed, "b.weight"), floats(models[1], "b.weight"));
  EXPECT_EQ(floats(mixed, "b.bias"), floats(models[1], "b.bias"));
  const ArithmeticMerge lacking{.method = Arithmetic::kInterpolate, .shares = {{"b.*", 1.0}}};
  EXPECT_NE(complaint([&] { check_arithmetic(lacking, models); }).find("no weight is given for tensor a.weight"),
            std::string::npos);
}

/// Makes models of one tensor each, by name.
void make_small(const Comm& comm, const fs::path& folder, const std::string& tensor,
                const std::map<std::string, std::vector<float>>& models) {
  comm.together([&] {
    if (!comm.is_root()) return;
    for (const auto& [name, values] : models) {
      const std::vector<StoredTensor> tensors{{tensor, NumberType::kF32, {std::ssize(values)}}};
      SafetensorsWriter writer(folder / cat(name, ".safetensors"), tensors, {});
      writer.write(writer.tensors()[0], values);
      writer.commit();
    }
  });
}

TEST_F(ArithmeticMergeTest, weights_that_are_not_finite_are_named) {
  for (const float bad : {std::nanf(""), INFINITY}) {
    make_small(comm_, folder_, "w", {{"bad", {1.0F, bad}}, {"good", {1.0F, 2.0F}}, {"zero", {0.0F, 0.0F}}});
    const std::vector<WeightFiles> models = open({"good.safetensors", "bad.safetensors"});
    const std::vector<WeightFiles> same = open({"good.safetensors", "good.safetensors"});
    const WeightFiles base(folder_ / "zero.safetensors");
    for (const auto& [name, method] : kArithmetics) {
      ArithmeticMerge how{.method = method, .weights = {1.0, 1.0}, .shares = {{"*", 0.5}}};
      if (needs_base(method)) how.base = &base;
      if (method == Arithmetic::kFisher) how.fisher = {models.data(), &models[1]};
      const bool as_diagonal = method == Arithmetic::kFisher;
      const std::string message =
          complaint([&] { merge(how, as_diagonal ? same : models, "merged.safetensors", comm_); });
      EXPECT_NE(message.find("bad.safetensors: tensor w holds weights that are not finite"), std::string::npos)
          << name << message;
      comm_.barrier();
      EXPECT_FALSE(fs::exists(folder_ / "merged.safetensors"));
    }
  }
}

TEST_F(ArithmeticMergeTest, fisher_information_is_not_negative) {
  make_small(comm_, folder_, "w", {{"good", {1.0F, 2.0F}}, {"negative", {1.0F, -0.5F}}});
  const std::vector<WeightFiles> models = open({"good.safetensors", "good.safetensors"});
  const std::vector<WeightFiles> diagonals = open({"good.safetensors", "negative.safetensors"});
  const ArithmeticMerge how{
      .method = Arithmetic::kFisher, .weights = {1.0, 1.0}, .fisher = {diagonals.data(), &diagonals[1]}};
  const std::string message = complaint([&] { merge(how, models, "merged.safetensors", comm_); });
  EXPECT_NE(message.find("negative.safetensors: tensor w holds negative numbers"), std::string::npos) << message;
}

/// Added changes of a variance, or some of them, might come to less than nought.
TEST_F(ArithmeticMergeTest, what_norms_have_seen_is_averaged_where_changes_are_added_to_a_base) {
  for (const std::string name : {"bn.running_var", "running_mean", "bn.weight"}) {
    make_small(comm_, folder_, name, {{"left", {1.0F, 3.0F}}, {"right", {2.0F, 1.0F}}, {"base", {4.0F, 8.0F}}});
    const std::vector<WeightFiles> models = open({"left.safetensors", "right.safetensors"});
    const WeightFiles base(folder_ / "base.safetensors");
    for (const Arithmetic method : {Arithmetic::kTask, Arithmetic::kTies, Arithmetic::kDare}) {
      merge({.method = method, .weights = {1.0, 1.0}, .scale = 2.0, .base = &base}, models, "merged.safetensors",
            comm_);
      const std::vector<float> merged = floats(WeightFiles(folder_ / "merged.safetensors"), name);
      EXPECT_EQ(merged == std::vector<float>({1.5F, 2.0F}), name != "bn.weight");
      comm_.barrier();
    }
  }
}

TEST_F(ArithmeticMergeTest, other_networks_and_broken_indices_are_named) {
  comm_.together([&] {
    if (!comm_.is_root()) return;
    SafetensorsWriter(folder_ / "small.safetensors", {{"a.weight", NumberType::kBF16, {3}}}, {}).commit();
    fs::create_directory(folder_ / "broken");
    fs::create_directory(folder_ / "empty");
    Scratch::write(folder_ / "broken" / "model.safetensors.index.json",
                   R"({"weight_map":{"w":"../one/x.safetensors"}})");
  });
  const std::vector<WeightFiles> models = open({"one", "small.safetensors"});
  const std::string message = complaint([&] { check_arithmetic({.weights = {1.0, 1.0}}, models); });
  EXPECT_NE(message.find("are different networks: "), std::string::npos) << message;
  EXPECT_NE(message.find("one"), std::string::npos);
  EXPECT_NE(
      complaint([&] { WeightFiles broken(folder_ / "broken"); }).find("expected the name of a file in the same folder"),
      std::string::npos);
  EXPECT_NE(complaint([&] { WeightFiles empty(folder_ / "empty"); }).find("holds no model.safetensors"),
            std::string::npos);
}

TEST(FitsPattern, a_star_stands_for_anything) {
  EXPECT_TRUE(fits_pattern("layers.0.weight", "*"));
  EXPECT_TRUE(fits_pattern("layers.0.weight", "layers.*.weight"));
  EXPECT_TRUE(fits_pattern("layers.0.weight", "*0*"));
  EXPECT_TRUE(fits_pattern("aab", "*ab"));
  EXPECT_FALSE(fits_pattern("layers.0.bias", "layers.*.weight"));
  EXPECT_FALSE(fits_pattern("layers.0.weight", "layers"));
  EXPECT_TRUE(fits_pattern("", "*"));
  EXPECT_FALSE(fits_pattern("a", ""));
}

}  // namespace
}  // namespace fleet
