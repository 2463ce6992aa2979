/** This plugin brings no commands; oclif asks for their table all the same. */
export default {}
