// How far from success a situation is: a task is done when its measure is within the task's limit.
#pragma once

#include "metaworld/task.hpp"

namespace fleet::metaworld::measures {

double distance(const Situation& s);
double along_x(const Situation& s);
double along_y(const Situation& s);
double along_z(const Situation& s);
double horizontal(const Situation& s);
double fingers_distance(const Situation& s);
double nut_round_peg(const Situation& s);
double nut_below_top(const Situation& s);
double ball_to_hoop(const Situation& s);
double faucet_opened(const Situation& s);
double nail_left(const Situation& s);
double lever_angle(const Situation& s);
double peg_head_to_hole(const Situation& s);
double thermos_pushed(const Situation& s);
double thermos_pulled(const Situation& s);

}  // namespace fleet::metaworld::measures
