#include "metaworld/goals.hpp"

#include <functional>
#include <random>

namespace fleet::metaworld {
namespace {

/// numpy's random_sample() of its legacy generator, which is std::mt19937 read 53 bits at a time.
double numpy_uniform(std::mt19937& generator) {
  const auto high = static_cast<double>(generator() >> 5U);
  const auto low = static_cast<double>(generator() >> 6U);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

template <class Uniform>
Vec3 draw(const Vec3& low, const Vec3& high, Uniform& uniform) {
  Vec3 drawn;
  for (int i = 0; i < 3; ++i) drawn[i] = low[i] + (high[i] - low[i]) * uniform();
  return drawn;
}

template <class Uniform>
Variation draw(const Randomisation& from, Uniform uniform) {
  for (;;) {
    Variation drawn;
    drawn.object = draw(from.object_low, from.object_high, uniform);
    if (!from.goal) return drawn;
    drawn.goal = draw(from.goal->low, from.goal->high, uniform);
    const Vec3 apart = drawn.object - from.keep_clear_of.value_or(drawn.goal);
    if (!(apart.head<2>().norm() < from.goal->separation)) return drawn;
  }
}

}  // namespace

std::vector<std::vector<Variation>> benchmark_variations(std::span<const int> tasks, std::uint32_t seed, int count) {
  std::mt19937 generator(seed);
  std::vector<std::vector<Variation>> variations;
  for (const int task : tasks) {
    const Randomisation& from = task_of(task).randomisation;
    std::vector<Variation>& drawn = variations.emplace_back();
    for (int i = 0; i < count; ++i) {
      // The reference places everything twice at every reset, and keeps the second.
      draw(from, [&] { return numpy_uniform(generator); });
      drawn.push_back(draw(from, [&] { return numpy_uniform(generator); }));
    }
  }
  return variations;
}

Variation draw_variation(const TaskSpec& task, RandomStream& stream) {
  return draw(task.randomisation, [&] { return stream.uniform(); });
}

}  // namespace fleet::metaworld
