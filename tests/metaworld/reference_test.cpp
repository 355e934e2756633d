// Against the Python reference, metaworld 3.1.1 on MuJoCo 3.3.0: what it did is in reference.txt, by
// record_reference.py.
#include <fstream>
#include <sstream>

#include "metaworld/assets.hpp"
#include "metaworld/environment.hpp"
#include "metaworld/experts.hpp"
#include "metaworld/goals.hpp"

namespace fleet::metaworld {
namespace {

constexpr std::uint32_t kSeed = 42;

/// Calls `use(task, numbers)` for every line of a kind.
template <class Use>
void for_each_line(const std::string& kind, Use use) {
  std::ifstream file(REFERENCE_FILE);
  int lines = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string line_kind;
    std::string task;
    words >> line_kind >> task;
    if (line_kind != kind) continue;
    ++lines;
    std::vector<double> numbers;
    for (double number = 0; words >> number;) numbers.push_back(number);
    SCOPED_TRACE(task);
    use(task_named(task), std::span<const double>(numbers));
  }
  EXPECT_GE(lines, 50) << REFERENCE_FILE;
}

void expect_drawn(const Variation& ours, std::span<const double> theirs) {
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ours.object[static_cast<int>(i)], theirs[i]);
    EXPECT_EQ(ours.goal[static_cast<int>(i)], theirs[3 + i]);
  }
}

TEST(MetaworldReference, mt50_draws_the_same_goals) {
  const auto drawn = benchmark_variations(find_tasks("mt50"), kSeed);
  for_each_line("mt50", [&](int task, std::span<const double> goal) {
    expect_drawn(drawn[static_cast<std::size_t>(task)].front(), goal);
  });
}

TEST(MetaworldReference, experts_act_alike_to_the_last_bit) {
  for_each_line("action", [](int task, std::span<const double> numbers) {
    Observation observation;
    std::copy_n(numbers.begin(), kObservationSize, observation.begin());
    const Action ours = expert_action(task_of(task), observation);
    for (std::size_t i = 0; i < kActionSize; ++i) EXPECT_EQ(ours[i], static_cast<float>(numbers[kObservationSize + i]));
  });
}

/// Largest difference between two observations.
double distance(const Observation& ours, std::span<const double> theirs) {
  double largest = 0;
  for (std::size_t i = 0; i < kObservationSize; ++i) largest = std::max(largest, std::abs(ours[i] - theirs[i]));
  return largest;
}

// On the machine that recorded them, whole episodes agree to 2e-16. Another processor's sine may differ in its last
// bit, which contacts then amplify.
TEST(MetaworldReference, episodes_go_alike_in_all_tasks) {
  REQUIRE_METAWORLD_ASSETS();
  if (mj_version() != 330) GTEST_SKIP() << "recorded with MuJoCo 3.3.0, this is " << mj_versionString();
  for_each_line("episode", [](int task, std::span<const double> numbers) {
    Scene scene(task, default_assets());
    Environment environment(scene);
    const Variation goal = benchmark_variations(std::array{task}, kSeed).front().front();
    expect_drawn(goal, numbers.subspan(0, 6));
    environment.reset(goal);
    EXPECT_LT(distance(environment.observed(), numbers.subspan(7, kObservationSize)), 1e-6) << "after reset";
    const simulation::EpisodeResult result = roll_out(environment);
    EXPECT_EQ(result.success ? result.steps : -1, static_cast<int>(numbers[6]));
    EXPECT_LT(distance(environment.observed(), numbers.subspan(7 + kObservationSize)), 1e-3) << "at the end";
  });
}

}  // namespace
}  // namespace fleet::metaworld
