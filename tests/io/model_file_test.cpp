// A saved model is the model; what is no model, or another network, is refused by name.
#include "io/model_file.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <limits>

#include "base/error.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

SymmetrySpec network(int hidden) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("layers.0.weight", {hidden, 2});
  layout->add("layers.0.bias", {hidden});
  layout->add("layers.1.weight", {3, 4 * hidden});
  return {layout,
          {{"hidden", hidden}},
          {{.tensor = 0, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 2, .axis = 1, .group = 0, .outer = 1, .inner = 4}}};
}

/// Two attention heads of three dimensions each: groups within blocks, actions from an offset on.
SymmetrySpec attention() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("query", {6, 5});
  layout->add("query.bias", {6});
  layout->add("out", {4, 6});
  std::vector<SymmetryAction> actions;
  for (const auto& [tensor, axis] : {std::pair<std::size_t, std::size_t>{0, 0}, {1, 0}, {2, 1}}) {
    actions.push_back({.tensor = tensor, .axis = axis, .group = 0});
    actions.push_back({.tensor = tensor, .axis = axis, .group = 1, .offset = 3});
    actions.push_back({.tensor = tensor, .axis = axis, .group = 2, .inner = 3});
  }
  return {layout,
          {{.name = "head.0", .size = 3, .kind = GroupKind::kSigned, .parent = 2, .block = 0},
           {.name = "head.1", .size = 3, .parent = 2, .block = 1},
           {"heads", 2}},
          actions};
}

SavedModel model(const SymmetrySpec& symmetry) {
  ParamVector weights(symmetry.layout());
  RandomStream stream(1, Purpose::kTest);
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  Settings settings;
  settings["fleet.alpha"].value = 0.1;
  settings["model.hidden"].value = Value::List{Value(std::int64_t{8}), Value(std::int64_t{4})};
  settings["run.data"].value = std::string("a \"place\"");
  settings["data.standardize"].value = true;
  return {.settings = settings,
          .data = "0123456789abcdef",
          .robot = 3,
          .round = 2,
          .epoch = 9,
          .samples = 1234,
          .companions = {{"observation_mean", {0.5F, -2.0F}}},
          .symmetry = symmetry,
          .weights = weights};
}

class ModelFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "model_file_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const SavedModel& saved, const std::string& name = "model.h5") const {
    write_model(directory_ / name, saved, {{"mpi", "MPI 4"}});
    return directory_ / name;
  }
  static std::string complaint(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
  static void expect_named(const std::string& message, std::initializer_list<std::string> parts) {
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }

  fs::path directory_;
};

TEST_F(ModelFileTest, what_is_read_is_what_was_written) {
  const SavedModel saved = model(network(5));
  const SavedModel read = read_model(write(saved, "below/deep/model.h5"));
  EXPECT_TRUE(std::equal(read.weights.flat().begin(), read.weights.flat().end(), saved.weights.flat().begin(),
                         saved.weights.flat().end()));
  EXPECT_EQ(read.weights.layout().hash(), saved.weights.layout().hash());
  EXPECT_EQ(to_text(read.settings), to_text(saved.settings));
  EXPECT_EQ(read.data, saved.data);
  EXPECT_EQ(read.settings.at("fleet.alpha").source.file, (directory_ / "below/deep/model.h5").string());
  EXPECT_EQ(read.robot, 3);
  EXPECT_EQ(read.round, 2);
  EXPECT_EQ(read.epoch, 9);
  EXPECT_EQ(read.samples, 1234);
  EXPECT_EQ(read.companions, saved.companions);
  EXPECT_NO_THROW(require_same_network("a", read, "b", saved));
}

TEST_F(ModelFileTest, what_it_was_trained_on_may_be_unknown) {
  SavedModel saved = model(network(5));
  saved.data.clear();
  EXPECT_EQ(read_model(write(saved)).data, "");
}

TEST_F(ModelFileTest, its_symmetry_acts_as_before) {
  for (const SymmetrySpec& symmetry : {network(6), attention()}) {
    const SavedModel saved = model(symmetry);
    const SavedModel read = read_model(write(saved));
    EXPECT_NO_THROW(require_same_network("a", read, "b", saved));
    RandomStream stream(2, Purpose::kTest);
    for (int draw = 0; draw < 10; ++draw) {
      const GroupElement element = saved.symmetry.random(stream);
      const GroupElement second = saved.symmetry.random(stream);
      EXPECT_EQ(read.symmetry.compose(second, element), saved.symmetry.compose(second, element));
      EXPECT_EQ(read.symmetry.inverse(element), saved.symmetry.inverse(element));
      const ParamVector there = read.symmetry.apply(element, read.weights);
      const ParamVector here = saved.symmetry.apply(element, saved.weights);
      EXPECT_TRUE(std::equal(there.flat().begin(), there.flat().end(), here.flat().begin()));
    }
  }
}

TEST_F(ModelFileTest, blocks_and_offsets_of_a_symmetry_are_kept) {
  const SymmetrySpec saved = attention();
  const SymmetrySpec read = read_model(write(model(saved))).symmetry;
  ASSERT_EQ(read.groups().size(), saved.groups().size());
  for (std::size_t g = 0; g < saved.groups().size(); ++g) {
    EXPECT_EQ(read.groups()[g].parent, saved.groups()[g].parent);
    EXPECT_EQ(read.groups()[g].block, saved.groups()[g].block);
    EXPECT_EQ(read.groups()[g].kind, saved.groups()[g].kind);
  }
  ASSERT_EQ(read.actions().size(), saved.actions().size());
  for (std::size_t a = 0; a < saved.actions().size(); ++a) {
    EXPECT_EQ(read.actions()[a].offset, saved.actions()[a].offset);
    EXPECT_EQ(read.actions()[a].inner, saved.actions()[a].inner);
    EXPECT_EQ(read.actions()[a].dual, saved.actions()[a].dual);
  }
}

TEST_F(ModelFileTest, other_networks_are_refused_naming_both_sides) {
  const SavedModel five = model(network(5));
  const SavedModel six = model(network(6));
  expect_named(complaint([&] { require_same_network("a.h5", five, "b.h5", six); }),
               {"a.h5", "b.h5", "layers.0.weight (5 x 2)", "layers.0.weight (6 x 2)"});
  const SavedModel fixed = model({five.symmetry.layout(), {}, {}});
  expect_named(complaint([&] { require_same_network("a.h5", five, "b.h5", fixed); }),
               {"a.h5", "b.h5", "group hidden of 5", "nothing"});
  const SavedModel heads = model(attention());
  const auto acted_on_by = [&](std::size_t action) {
    return model({heads.symmetry.layout(), heads.symmetry.groups(), {heads.symmetry.actions()[action]}});
  };
  expect_named(complaint([&] { require_same_network("a.h5", acted_on_by(0), "b.h5", acted_on_by(1)); }),
               {"group head.0 of 3 within block 0 of heads", "head.1 of 3 within block 1 of heads", "offset 3"});
}

TEST_F(ModelFileTest, models_that_prepare_their_inputs_differently_are_refused) {
  const SavedModel one = model(network(5));
  SavedModel other = one;
  other.companions["observation_mean"][1] = 0.0F;
  expect_named(complaint([&] { require_same_network("a.h5", one, "b.h5", other); }),
               {"a.h5", "b.h5", "observation_mean"});
  other.companions.clear();
  expect_named(complaint([&] { require_same_network("a.h5", other, "b.h5", one); }), {"observation_mean"});
}

TEST_F(ModelFileTest, weights_that_are_not_finite_are_refused) {
  SavedModel saved = model(network(5));
  saved.weights.flat()[11] = std::numeric_limits<float>::quiet_NaN();
  const fs::path path = write(saved);
  expect_named(complaint([&] { (void)read_model(path); }), {path.string(), "layers.0.bias", "not finite"});
}

TEST_F(ModelFileTest, a_symmetry_that_does_not_fit_its_tensors_is_refused_naming_both) {
  const fs::path path = directory_ / "misfit.h5";
  {
    Hdf5Writer file(path);
    for (const char* key : {"robot", "round", "epoch", "samples"}) file.write_attribute("/", key, std::int64_t{1});
    file.write_attribute("/", "model_version", kModelVersion);
    file.write_attribute("/", "settings", std::string("seed = 1\n"));
    Table tensors, groups, actions;
    tensors.add("name", std::vector<std::string>{"w"});
    groups.add("name", std::vector<std::string>{"hidden"});
    groups.add("size", std::vector<std::int32_t>{4});
    groups.add("parent", std::vector<std::int32_t>{-1});
    for (const char* column : {"linear", "block"}) groups.add(column, std::vector<std::int32_t>{0});
    actions.add("tensor", std::vector<std::string>{"w"});
    for (const char* column : {"axis", "group", "offset", "dual"}) actions.add(column, std::vector<std::int32_t>{0});
    for (const char* column : {"outer", "inner"}) actions.add(column, std::vector<std::int32_t>{1});
    file.write_table("tensors", tensors);
    file.write_table("groups", groups);
    file.write_table("actions", actions);
    file.write_array("weights/w", std::vector<float>{1, 2, 3}, std::vector<std::size_t>{3});
    file.commit();
  }
  expect_named(complaint([&] { (void)read_model(path); }), {path.string(), "w has extent 3", "hidden acts on 4"});
}

TEST_F(ModelFileTest, what_is_no_model_is_refused_by_name) {
  const fs::path missing = directory_ / "missing.h5";
  expect_named(complaint([&] { (void)read_model(missing); }), {missing.string(), "there is no file"});
  const fs::path cut = write(model(network(5)));
  fs::resize_file(cut, fs::file_size(cut) / 2);
  expect_named(complaint([&] { (void)read_model(cut); }), {cut.string(), "damaged"});
  const fs::path foreign = directory_ / "foreign.h5";
  {
    Hdf5Writer file(foreign);
    file.write_array("array", std::vector<float>{1.0F}, std::vector<std::size_t>{1});
    file.commit();
  }
  expect_named(complaint([&] { (void)read_model(foreign); }), {foreign.string(), "no saved model", "run.save_models"});
}

}  // namespace
}  // namespace fleet
