#include "lqg/options.hpp"

#include <gtest/gtest.h>

#include "io/toml.hpp"
#include "lqg/matrix_equations.hpp"

namespace fleet {
namespace {

LqgOptions read(const std::string& text) {
  const Settings settings = parse_toml(text, "lqg.toml");
  SettingsReader reader(settings);
  return read_lqg_options(reader);
}

/// The complaint about a configuration; empty if there is none.
std::string complaint(const std::string& text) {
  try {
    read(text);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(LqgOptions, without_a_word_are_the_papers_multi_task_experiment) {
  const LqgOptions options = read("");
  EXPECT_EQ(options.system.states(), 4);
  EXPECT_EQ(options.system.inputs(), 2);
  EXPECT_EQ(options.system.observations(), 50);
  EXPECT_NEAR(spectral_radius(options.system.a), 0.9926, 1e-4);
  ASSERT_EQ(options.tasks.size(), 10U);
  for (std::size_t h = 0; h < 10; ++h) {
    const double alpha = std::pow(10.0, -2.0 + 4.0 * static_cast<double>(h) / 9.0);
    EXPECT_TRUE(options.tasks[h].state.isApprox(alpha * Eigen::MatrixXd::Identity(4, 4), 1e-12));
  }
}

TEST(LqgOptions, every_trial_draws_its_own_observation_matrix) {
  EXPECT_NE(read("seed = 1").system.c, read("seed = 2").system.c);
  EXPECT_EQ(read("seed = 1").system.c, read("seed = 1").system.c);
}

TEST(LqgOptions, matrices_are_given_whole_or_as_multiples_of_the_identity) {
  const LqgOptions options = read(
      "system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[1], [2]]\nsystem.c = [[1, 1]]\nnoise.process = 3\n"
      "noise.measurement = [[0.5]]\ntasks.q = [[2, 1], [1, 2]]\ntasks.r = 4\ntasks.weights = [2.0]");
  EXPECT_EQ(options.system.process, 3.0 * Eigen::MatrixXd::Identity(2, 2));
  EXPECT_EQ(options.system.measurement(0, 0), 0.5);
  EXPECT_EQ(options.tasks[0].state, (Eigen::MatrixXd{{4, 2}, {2, 4}}));
  EXPECT_EQ(options.tasks[0].input(0, 0), 4.0);
}

TEST(LqgOptions, a_drawn_system_has_the_size_and_radius_asked_for) {
  const LqgOptions options = read(
      "system.source = \"random\"\nsystem.states = 7\nsystem.inputs = 3\nsystem.radius = 1.2\nsystem.observations = 9");
  EXPECT_EQ(options.system.states(), 7);
  EXPECT_EQ(options.system.inputs(), 3);
  EXPECT_NEAR(spectral_radius(options.system.a), 1.2, 1e-10);
}

struct Mistake {
  std::string text;
  std::string key;   ///< of which it complains
  std::string word;  ///< in the complaint
};

class LqgMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(LqgMistakes, are_named_with_their_place) {
  const std::string said = complaint(GetParam().text);
  EXPECT_NE(said.find("lqg.toml:"), std::string::npos) << said;
  EXPECT_NE(said.find(GetParam().key), std::string::npos) << said;
  EXPECT_NE(said.find(GetParam().word), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(
    Table, LqgMistakes,
    testing::Values(Mistake{"system.a = [[1, 2], [3]]", "system.a", "row 2 has 1 numbers"},
                    Mistake{"system.a = [[1, 2]]", "system.a", "1 x 2, but should be 1 x 1"},
                    Mistake{"system.a = [[1, \"x\"]]", "system.a", "expected a number, got a string"},
                    Mistake{"system.b = [[1, 2]]", "system.b", "1 x 2, but should be 4 x 2, a row for each state"},
                    Mistake{"system.c = [[1, 2]]", "system.c", "1 x 2, but should be 1 x 4"},
                    Mistake{"noise.process = [[1, 0], [0, 1]]", "noise.process", "2 x 2, but should be 4 x 4"},
                    Mistake{"noise.process = nan", "noise.process", "expected a number that is finite"},
                    Mistake{"noise.initial = -1", "noise.initial", "positive semidefinite"},
                    Mistake{"noise.measurement = 0", "noise.measurement", "positive definite"},
                    Mistake{"tasks.r = [[1, 2], [2, 1]]", "tasks.r", "positive definite"},
                    Mistake{"tasks.r = [[1, 2], [0, 1]]", "tasks.r", "symmetric"},
                    Mistake{"tasks.weights = []", "tasks.weights", "there must be a task"},
                    Mistake{"tasks.weights = [1, 0]", "tasks.weights", "above 0"},
                    Mistake{"system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[0], [1]]", "system.b",
                            "reached by any input"},
                    Mistake{"system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[1], [1]]\nsystem.c = [[0, 1]]", "system.c",
                            "does not show in the observations"},
                    Mistake{"system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[1], [1]]\ntasks.q = [[0, 0], [0, 1]]",
                            "tasks.q", "does not see the system's mode of modulus 1.1"},
                    Mistake{"system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[1], [1]]\nnoise.process = [[0, 0], [0, 1]]",
                            "noise.process", "gets no noise"},
                    Mistake{"policy.kind = \"static\"", "policy.kind", "must see the whole state"}));

TEST(LqgOptions, a_mode_that_cannot_be_controlled_may_decay_by_itself) {
  EXPECT_EQ(complaint("system.a = [[1.1, 0], [0, 0.5]]\nsystem.b = [[1], [0]]\nsystem.c = [[1, 0]]"), "");
}

}  // namespace
}  // namespace fleet
