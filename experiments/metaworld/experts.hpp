// The scripted policies that solve each task: proportional control of the hand through a few stages, read off the
// observation.
#pragma once

#include "metaworld/task.hpp"

namespace fleet::metaworld {

[[nodiscard]] View view_of(const Observation& observation);

/// The expert's action, not clipped to [-1, 1]. The goal must be in the observation.
[[nodiscard]] Action expert_action(const TaskSpec& task, const Observation& observation);

namespace experts {

Move assembly(const View& view);
Move basketball(const View& view);
Move bin_picking(const View& view);
Move box_close(const View& view);
Move button_press(const View& view);
Move button_press_topdown(const View& view);
Move button_press_topdown_wall(const View& view);
Move button_press_wall(const View& view);
Move coffee_button(const View& view);
Move coffee_pull(const View& view);
Move coffee_push(const View& view);
Move dial_turn(const View& view);
Move disassemble(const View& view);
Move door_close(const View& view);
Move door_lock(const View& view);
Move door_open(const View& view);
Move door_unlock(const View& view);
Move drawer_close(const View& view);
Move drawer_open(const View& view);
Move faucet_close(const View& view);
Move faucet_open(const View& view);
Move hammer(const View& view);
Move hand_insert(const View& view);
Move handle_press(const View& view);
Move handle_press_side(const View& view);
Move handle_pull(const View& view);
Move handle_pull_side(const View& view);
Move lever_pull(const View& view);
Move peg_insert_side(const View& view);
Move peg_unplug_side(const View& view);
Move pick_out_of_hole(const View& view);
Move pick_place(const View& view);
Move pick_place_wall(const View& view);
Move plate_slide(const View& view);
Move plate_slide_back(const View& view);
Move plate_slide_back_side(const View& view);
Move plate_slide_side(const View& view);
Move push(const View& view);
Move push_back(const View& view);
Move push_wall(const View& view);
Move reach(const View& view);
Move reach_wall(const View& view);
Move shelf_place(const View& view);
Move soccer(const View& view);
Move stick_pull(const View& view);
Move stick_push(const View& view);
Move sweep(const View& view);
Move sweep_into(const View& view);
Move window_close(const View& view);
Move window_open(const View& view);

}  // namespace experts
}  // namespace fleet::metaworld
