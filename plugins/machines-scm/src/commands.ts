/** This plugin brings no commands of its own. */
export default {}
