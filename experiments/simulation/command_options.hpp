// What the commands of simulated worlds share: their options.
#pragma once

#include <boost/program_options.hpp>

#include "simulation/suite.hpp"

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

/// "mt10, mt50, or names separated by commas".
[[nodiscard]] std::string describe_sets(const Suite& suite);
/// Differs where ranks have found other scenes, or another policy in `file`.
[[nodiscard]] std::string identity_of(const Suite& suite, const std::filesystem::path& file = {});

}  // namespace fleet::simulation
