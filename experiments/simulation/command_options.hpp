// What the commands of simulated worlds share: their options.
#pragma once

#include <boost/program_options.hpp>

#include "simulation/rollout.hpp"

namespace fleet::simulation {

using OptionsGiven = boost::program_options::variables_map;
using OptionTexts = boost::program_options::options_description;

/// The options that say which suite is meant.
void add_suite_options(OptionTexts& options, const SuiteEntry& world);
[[nodiscard]] std::shared_ptr<const Suite> make_suite(const SuiteEntry& world, const OptionsGiven& values);
/// As it is without any options, for texts.
[[nodiscard]] std::shared_ptr<const Suite> usual_suite(const SuiteEntry& world);
/// Of the world's files; empty for the usual one.
[[nodiscard]] std::filesystem::path files_of(const SuiteEntry& world, const OptionsGiven& values);

/// The option "seed", of what varies in episodes.
void add_seed_option(OptionTexts& options);
[[nodiscard]] std::uint32_t seed_of(const OptionsGiven& values);

/// The options "seed" and "episode", which say of which episode: the same as rollout draws at random.
void add_view_options(OptionTexts& options);
/// Of the one task that is named. ConfigError if several are.
[[nodiscard]] EpisodeSpec episode_to_view(const Suite& suite, const OptionsGiven& values);

/// Episodes of a task as rollout draws them at random, the first `count`.
[[nodiscard]] std::vector<Variation> random_variations(const Suite& suite, int task, std::uint32_t seed, int count);

/// "mt10, mt50, or names separated by commas".
[[nodiscard]] std::string describe_sets(const Suite& suite);
/// Differs where ranks have found other scenes, or another policy in `file`.
[[nodiscard]] std::string identity_of(const Suite& suite, const std::filesystem::path& file = {});

}  // namespace fleet::simulation
